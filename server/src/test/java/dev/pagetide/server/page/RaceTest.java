package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** A use that races a stop, as the counters of this process tell of it. */
@Promise(29)
final class RaceTest {
  @Test
  void useRange_racingStop_endsUsedOrAvailableAndCountersAgree() throws InterruptedException {
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

  /**
   * The bug it would show: a use that was flipped in part, because a page that it found USED was
   * stopped before it looked again, goes behind the lock and may be refused there.
   */
  @Test
  void tryUseRange_racingStopOfPagesThatStayResident_alwaysUsesThem() throws InterruptedException {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(48);
      range.useRange(0, 48);
      AtomicBoolean done = new AtomicBoolean();
      AtomicBoolean stopping = new AtomicBoolean(true);
      PageCounters counters = ranges.shrinker.counters();
      int[] refused = new int[1];

      Crowd.run(
          List.of(
              index -> {
                for (int i = 0;
                    i < 200_000 || (stopping.get() && counters.stopped() <= 1_000);
                    i++) {
                  refused[0] += range.tryUseRange(0, 48) ? 0 : 1;
                }
                done.set(true);
              },
              index -> {
                try {
                  while (!done.get()) {
                    range.stopUsingRange(0, 8);
                  }
                } finally {
                  stopping.set(false);
                }
              }));

      assertThat(refused[0]).isZero();
      assertThat(counters.stopped()).isGreaterThan(1_000);
      ranges.checkInvariants();
    }
  }
}
