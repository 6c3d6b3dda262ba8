package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Promises 20 to 22, 24 and 26: what a scan takes, in which order, and how many. */
final class ShrinkerOrderTest {
  @Test
  void scan_oneCallStoppedFourPages_takesTheHighestFirst() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 5);
      range.stopUsingRange(0, 4);

      ScanResult result = ranges.shrinker.scan(1);

      assertThat(result.reclaimed()).isEqualTo(1);
      assertThat(TestRanges.map(range)).isEqualTo("AAAFUFFF");
    }
  }
}
