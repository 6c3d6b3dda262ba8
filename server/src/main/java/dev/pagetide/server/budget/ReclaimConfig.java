package dev.pagetide.server.budget;

/**
 * When memory is reclaimed ahead of need, and which pages are spared.
 *
 * @param lowWatermarkPages background reclaim ends when the server's charge is at most this
 * @param highWatermarkPages background reclaim begins when the charge is above this
 * @param protectNanos pages that were stopped less than this long ago, of sessions within their
 *     fair share, are spared: reclaim does not take them for an asker above its own share, nor
 *     ahead of need: {@code --protect-recent}
 * @param headroom the host's headroom
 */
public record ReclaimConfig(
    long lowWatermarkPages, long highWatermarkPages, long protectNanos, HostHeadroom headroom) {
  /** No watermarks, no page spared, no limit of the host. */
  public static final ReclaimConfig NONE =
      new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, 0, HostHeadroom.NONE);

  /** The charge above which background reclaim begins in one budget: the same fraction of each. */
  public long highWatermarkPages(PageBudget of) {
    return of.partOfLimit(highWatermarkPages);
  }

  /** The charge at which background reclaim ends in one budget: the same fraction of each. */
  public long lowWatermarkPages(PageBudget of) {
    return of.partOfLimit(lowWatermarkPages);
  }
}
