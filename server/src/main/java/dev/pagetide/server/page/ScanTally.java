package dev.pagetide.server.page;

import java.util.EnumMap;
import java.util.Map;

/** The running counts of one scan; confined to its thread. */
final class ScanTally {
  private long reclaimed;
  private final long[] skipped = new long[SkipReason.values().length];

  void reclaimed(long pages) {
    reclaimed += pages;
  }

  void skipped(SkipReason reason, long pages) {
    skipped[reason.ordinal()] += pages;
  }

  long reclaimed() {
    return reclaimed;
  }

  ScanResult result() {
    Map<SkipReason, Long> byReason = new EnumMap<>(SkipReason.class);
    long scanned = reclaimed;
    for (SkipReason reason : SkipReason.values()) {
      long pages = skipped[reason.ordinal()];
      if (pages > 0) {
        byReason.put(reason, pages);
        scanned += pages;
      }
    }
    return new ScanResult(scanned, reclaimed, byReason);
  }
}
