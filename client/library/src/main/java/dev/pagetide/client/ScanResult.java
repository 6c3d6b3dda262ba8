package dev.pagetide.client;

import dev.pagetide.v1.ScanResponse;
import dev.pagetide.v1.SkipCount;
import java.util.EnumMap;
import java.util.Map;

/**
 * What one scan of the shrinker did.
 *
 * @param scannedPages candidates examined: reclaimed and skipped together
 * @param reclaimedPages pages that the scan made FREE; in a dry run, those that it would have made
 *     FREE
 * @param skippedPages candidates that the scan skipped, by reason; reasons without a candidate are
 *     absent
 */
public record ScanResult(
    long scannedPages, long reclaimedPages, Map<SkipReason, Long> skippedPages) {

  /** Keeps a copy of {@code skippedPages}. */
  public ScanResult {
    skippedPages = Map.copyOf(skippedPages);
  }

  static ScanResult of(ScanResponse wire) {
    Map<SkipReason, Long> skipped = new EnumMap<>(SkipReason.class);
    for (SkipCount count : wire.getSkippedList()) {
      skipped.merge(
          WireEnums.skipReason(count.getReason()),
          WireNumbers.count("skipped.pages", count.getPages()),
          Long::sum);
    }
    return new ScanResult(
        WireNumbers.count("scanned", wire.getScanned()),
        WireNumbers.count("reclaimed", wire.getReclaimed()),
        skipped);
  }
}
