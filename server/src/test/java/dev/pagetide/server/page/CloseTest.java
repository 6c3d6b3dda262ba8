package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Promises 27 and 31 as far as this package goes: a range ends at any moment, and all is back. */
final class CloseTest {
  @Test
  void close_anyVerbAfterwards_isRefusedAsClosedAndNothingElse() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(4);
      range.useRange(0, 4);
      PageSpans two = range.spans().add(0, 1).add(2, 3).build();
      range.close();
      range.close();
      range.closeKeepingBytes();

      for (Runnable verb :
          List.<Runnable>of(
              () -> range.useRange(0, 1),
              () -> range.useRange(0, 3),
              () -> range.useRange(1, 0),
              () -> range.useRange(0, 99),
              () -> range.useRange(two),
              () -> range.useRange(PageSpans.NONE),
              () -> range.tryUseRange(0, 1),
              () -> range.tryUseRange(two),
              () -> range.stopUsingRange(0, 1),
              () -> range.stopUsingRange(1, 0),
              () -> range.stopUsingRange(two),
              () -> range.read(0, ByteBuffer.allocate(1)),
              () -> range.write(0, ByteBuffer.allocate(1)),
              () -> range.fillZero(0, 1),
              () -> range.fillZero(0, 0),
              range::duplicateFile,
              () -> range.states(0, 1),
              () -> range.states(1, 0))) {
        assertThatThrownBy(verb::run)
            .isInstanceOf(PageFailure.Closed.class)
            .hasMessage("the session has ended; open a new range");
      }
      assertThat(range.counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
      assertThat(range.isClosed()).isTrue();
      assertThat(ranges.shrinker.counters().closed()).isEqualTo(4);
      assertThat(ranges.shrinker.scan(10)).isEqualTo(ScanResult.NOTHING);
      ranges.checkInvariants();
    }
  }

  @Test
  void close_somebodyInside_waitsForItAndLetsNobodyElseIn() throws InterruptedException {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(4);
      range.useRange(0, 4);
      assertThat(range.entries().tryEnter()).isTrue();
      CountDownLatch closed = new CountDownLatch(1);
      Thread closer =
          Thread.ofPlatform()
              .start(() -> {
                range.close();
                closed.countDown();
              });
      Awaitility.await().until(range::isClosed);
      Awaitility.await().until(() -> closer.getState() == Thread.State.WAITING);

      assertThat(range.entries().tryEnter()).isFalse();
      assertThatThrownBy(() -> range.states(0, 1)).isInstanceOf(PageFailure.Closed.class);
      assertThat(range.counts().used()).isZero();
      assertThat(closed.getCount()).isEqualTo(1);
      assertThat(Invariants.residentPages(range)).isEqualTo(6); // our entry holds it open
      closer.interrupt(); // which must not end the wait
      assertThat(closed.getCount()).isEqualTo(1);

      range.entries().leave();

      assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
      closer.join();
      assertThat(ranges.budget.chargedPages()).isZero();
    }
  }

  @Test
  void scan_candidatesOfAClosedRange_areSkippedAsClosing() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange a = ranges.open(4);
      ShrinkablePageRange b = ranges.open(4);
      a.useRange(0, 4);
      b.useRange(0, 4);
      a.stopUsingRange(0, 3);
      b.stopUsingRange(0, 2);
      assertThat(ranges.shrinker.scan(1).reclaimed()).isEqualTo(1); // queues the rest
      a.close();

      ScanResult result = ranges.shrinker.scan(1);

      assertThat(result.reclaimed()).isEqualTo(1);
      assertThat(TestRanges.map(b)).isEqualTo("AFUU");
      assertThat(result.skipped().keySet()).isSubsetOf(SkipReason.CLOSING, SkipReason.LOCKED);
      ranges.checkInvariants();
    }
  }

  @Test
  void close_racingEverything_givesOnlyClosedAndEverythingBack() throws InterruptedException {
    long descriptors = ClientView.openRangeFiles();
    try (TestRanges ranges = TestRanges.unlimited()) {
      for (int round = 0; round < 300; round++) {
        race(ranges);
        assertThat(ranges.budget.chargedPages()).isZero();
        assertThat(ranges.shrinker.count()).isZero();
      }
      PageCounters counters = ranges.shrinker.counters();
      assertThat(counters.allocated() - counters.reclaimed() - counters.closed()).isZero();
      assertThat(counters.closed()).isPositive();
    }
    assertThat(ClientView.openRangeFiles()).isEqualTo(descriptors);
  }

  private static void race(TestRanges ranges) throws InterruptedException {
    ShrinkablePageRange range = ranges.open(300);
    range.useRange(0, 100);
    AtomicInteger finished = new AtomicInteger();
    PageSpans spans = range.spans().add(0, 3).add(5, 9).build();
    List<Runnable> verbs =
        List.of(
            () -> range.useRange(0, 300),
            () -> range.useRange(7, 8),
            () -> range.useRange(spans),
            () -> range.stopUsingRange(50, 300),
            () -> range.read(0, ByteBuffer.allocate(20_000)),
            () -> range.write(0, ByteBuffer.allocate(20_000)),
            () -> {
              PageState[] states = range.states(0, 300);
              assertThat(states).hasSize(300);
            },
            () -> ranges.shrinker.scan(Long.MAX_VALUE),
            () -> ranges.shrinker.scan(3),
            () -> assertThat(ranges.shrinker.count()).isBetween(0L, 300L),
            () -> assertThat(range.counts().available()).isBetween(0L, 300L));
    List<Crowd.Member> members = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      members.add(index -> {
        try {
          // Until closed; those verbs that never say so go on with others that do.
          for (int j = index; ; j++) {
            try {
              verbs.get(j % verbs.size()).run();
            } catch (PageFailure.NotUsed e) {
              range.tryUseRange(0, 6);
            }
          }
        } catch (PageFailure.Closed e) {
          finished.incrementAndGet();
        }
      });
    }
    for (int i = 0; i < 2; i++) {
      members.add(index -> {
        while (ranges.shrinker.counters().allocated() % 7 == index % 7 && !range.isClosed()) {
          Thread.onSpinWait();
        }
        range.close();
      });
    }
    Crowd.run(members);
    assertThat(finished).hasValue(5);
    ranges.ranges.remove(range);
  }
}
