package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.testkit.Promise;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** What a client does not see of a close: who is inside, and verbs of this process alone. */
@Promise(27)
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
}
