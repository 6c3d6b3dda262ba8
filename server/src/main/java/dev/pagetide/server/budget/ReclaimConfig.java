package dev.pagetide.server.budget;

/**
 * When memory is taken back ahead of need, and what is spared.
 *
 * @param lowWatermarkPages background reclaim ends when the server's charge is at most this
 * @param highWatermarkPages background reclaim begins when the charge is above this
 * @param protectNanos pages of sessions within their fair share that were stopped less than this
 *     long ago are not taken for what lies above another's share, nor ahead of need: {@code
 *     --protect-recent}
 * @param headroom what the host leaves
 */
public record ReclaimConfig(
    long lowWatermarkPages, long highWatermarkPages, long protectNanos, HostHeadroom headroom) {
  /** No watermarks, nothing spared, no edge. */
  public static final ReclaimConfig NONE =
      new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, 0, HostHeadroom.NONE);

  /** The charge above which background reclaim begins in one budget: the same part of each. */
  public long highWatermarkPages(PageBudget of) {
    return of.partOfLimit(highWatermarkPages);
  }

  /** The charge at which background reclaim ends in one budget: the same part of each. */
  public long lowWatermarkPages(PageBudget of) {
    return of.partOfLimit(lowWatermarkPages);
  }
}
