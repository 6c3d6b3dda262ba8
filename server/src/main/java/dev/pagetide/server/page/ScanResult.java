package dev.pagetide.server.page;

import java.util.Map;

/**
 * The result of one scan.
 *
 * @param scanned the candidates that were checked: {@code reclaimed} plus all skipped
 * @param reclaimed pages that became FREE
 * @param skipped candidates that were passed over, by reason; only reasons with a count
 */
public record ScanResult(long scanned, long reclaimed, Map<SkipReason, Long> skipped) {
  /** A scan that checked nothing. */
  public static final ScanResult NOTHING = new ScanResult(0, 0, Map.of());

  /** Makes the map unmodifiable. */
  public ScanResult {
    skipped = Map.copyOf(skipped);
  }
}
