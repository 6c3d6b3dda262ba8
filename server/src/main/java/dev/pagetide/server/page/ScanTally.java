package dev.pagetide.server.page;

import java.util.EnumMap;
import java.util.Map;

/** The running counts of one scan; confined to its thread. */
final class ScanTally {
  private final ReclaimTrigger trigger;
  private long reclaimed;
  private final Map<SkipReason, Long> skipped = new EnumMap<>(SkipReason.class);

  ScanTally(ReclaimTrigger trigger) {
    this.trigger = trigger;
  }

  /** Why the scan runs. */
  ReclaimTrigger trigger() {
    return trigger;
  }

  void reclaimed(long pages) {
    reclaimed += pages;
  }

  void skipped(SkipReason reason, long pages) {
    if (pages > 0) {
      skipped.merge(reason, pages, Long::sum);
    }
  }

  long reclaimed() {
    return reclaimed;
  }

  ScanResult result() {
    long scanned = reclaimed + skipped.values().stream().mapToLong(Long::longValue).sum();
    return new ScanResult(scanned, reclaimed, skipped);
  }
}
