package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Promises 12, 14, 28 and 29: two or more at one page at the same time. */
final class RaceTest {
  @RepeatedTest(50)
  void useRange_sixteenThreadsOneFreePage_allocatesOnce() throws InterruptedException { // 28
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(4);

      Crowd.run(16, index -> assertThat(range.useRange(1, 2).pageCount()).isLessThan(2));

      assertThat(ranges.shrinker.counters().allocated()).isEqualTo(1);
      assertThat(Invariants.residentPages(range)).isEqualTo(3);
      assertThat(TestRanges.map(range)).isEqualTo("FUFF");
      ranges.checkInvariants();
    }
  }

  @RepeatedTest(20)
  void useRange_sixteenThreadsOverlappingSpans_allocatesEachPageOnce()
      throws InterruptedException { // 28
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(600);

      Crowd.run(16, index -> range.useRange(index * 10, 400 + index * 10));

      assertThat(ranges.shrinker.counters().allocated()).isEqualTo(550);
      assertThat(range.counts()).isEqualTo(new PageCounts(50, 0, 550, 0));
      ranges.checkInvariants();
    }
  }

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

  @Test
  void useRange_racingReclaim_givesOldBytesOrZerosAndLosesNoWrite()
      throws InterruptedException { // 12 and 14
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(4);
      range.useRange(3, 4); // so that a scan of one page is not a scan of everything
      AtomicBoolean done = new AtomicBoolean();
      int[] freshes = new int[1];

      Crowd.run(
          List.of(
              index -> {
                try {
                  freshes[0] = useWriteAndStop(range, 30_000);
                } finally {
                  done.set(true);
                }
              },
              index -> {
                for (long pages = 1; !done.get(); pages = 4 - pages) {
                  ranges.shrinker.scan(pages);
                }
              }));

      ranges.checkInvariants();
      assertThat(freshes[0]).isPositive();
      assertThat(ranges.shrinker.counters().reclaimed()).isGreaterThanOrEqualTo(freshes[0] - 1);
    }
  }

  /** One user of page 1, who knows what it wrote; how often its bytes were gone. */
  private static int useWriteAndStop(ShrinkablePageRange range, int rounds) {
    int freshes = 0;
    byte last = 0;
    for (int i = 0; i < rounds; i++) {
      boolean fresh = !range.useRange(1, 2).isEmpty();
      freshes += fresh ? 1 : 0;
      expectAll(Pages.bytes(range, 1, 2), fresh ? 0 : last, i);
      last = (byte) (1 + i % 100);
      Pages.fill(range, 1, 2, last);
      expectAll(Pages.bytes(range, 1, 2), last, i);
      range.stopUsingRange(1, 2);
    }
    return freshes;
  }

  private static void expectAll(byte[] bytes, byte value, int round) {
    for (byte b : bytes) {
      if (b != value) {
        throw new AssertionError(
            "round %d: %d where %d should be, in %s"
                .formatted(round, b, value, Arrays.toString(Arrays.copyOf(bytes, 16))));
      }
    }
  }

  @Test
  void write_pageStoppedAndReclaimedUnderIt_leavesNoMemoryUnaccounted()
      throws InterruptedException {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(4);
      AtomicBoolean done = new AtomicBoolean();

      Crowd.run(
          List.of(
              index -> {
                for (int i = 0; i < 20_000; i++) {
                  try {
                    if (i % 2 == 0) {
                      Pages.fill(range, 0, 4, 9);
                    } else {
                      range.fillZero(0, 4L * range.pageSize());
                    }
                  } catch (PageFailure.NotUsed e) {
                    range.useRange(0, 4);
                  }
                }
                done.set(true);
              },
              index -> {
                while (!done.get()) {
                  range.stopUsingRange(0, 4);
                  ranges.shrinker.scan(4);
                }
              }));

      ranges.checkInvariants();
    }
  }
}
