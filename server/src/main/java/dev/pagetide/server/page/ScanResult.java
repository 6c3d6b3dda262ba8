package dev.pagetide.server.page;

import java.util.Map;

/**
 * What one scan did.
 *
 * @param scanned candidates looked at: {@code reclaimed} plus all skipped
 * @param reclaimed pages that became FREE
 * @param skipped candidates passed over, by reason; only reasons with a count
 */
public record ScanResult(long scanned, long reclaimed, Map<SkipReason, Long> skipped) {
  /** A scan that looked at nothing. */
  public static final ScanResult NOTHING = new ScanResult(0, 0, Map.of());

  /** Makes the map unmodifiable. */
  public ScanResult {
    skipped = Map.copyOf(skipped);
  }
}
