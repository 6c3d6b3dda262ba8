package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Promise 29, as the counters of this process tell of it. */
final class RaceTest {
  @Test
  void useRange_racingStop_endsUsedOrAvailableAndCountersAgree() throws InterruptedException { // 29
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 8);

      Crowd.run(
          4,
          index -> {
            for (int i = 0; i < 20_000; i++) {
              if (index % 2 == 0) {
                range.useRange(i % 4, i % 4 + 3);
              } else {
                range.stopUsingRange(i % 5, i % 5 + 3);
              }
            }
          });

      PageCounts counts = range.counts();
      assertThat(counts.free()).isZero();
      assertThat(counts.used() + counts.available()).isEqualTo(8);
      PageCounters counters = ranges.shrinker.counters();
      assertThat(counters.allocated() + counters.reused() - counters.stopped())
          .isEqualTo(counts.used());
      ranges.checkInvariants();
    }
  }
}
