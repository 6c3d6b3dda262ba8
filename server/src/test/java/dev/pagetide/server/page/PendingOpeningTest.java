package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.WaitOutcome;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Openings that wait for the two pages of their header and page table: nothing else is free. */
final class PendingOpeningTest {
  private static final int NEEDED = 2;
  private static final int UID_LIMIT = 5;

  private final WaitingScene scene = new WaitingScene();
  private final PageBudget uid =
      scene.ranges.budget.child("--max-resident-bytes-per-uid", UID_LIMIT);
  private long nextId = 100;

  @BeforeEach
  void useAllThatIsFree() {
    scene.small.useRange(0, WaitingScene.FREE_PAGES);
  }

  @AfterEach
  void close() {
    scene.close();
    assertThat(scene.ranges.budget.chargedPages()).isZero();
  }

  private PendingOpening<ShrinkablePageRange> opening(Executor workers) {
    PageBudget leaf = uid.child("--max-resident-bytes-per-session", TestRanges.UNLIMITED_PAGES);
    RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 1);
    PendingOpening<ShrinkablePageRange> opening =
        new PendingOpening<>(
            scene.ranges.shrinker,
            "uid 1",
            charge ->
                ShrinkablePageRange.register(
                    nextId++,
                    RangeMode.PAGES,
                    scene.ranges.bytes(1),
                    config.paidBy(charge),
                    leaf,
                    scene.ranges.shrinker),
            WaitingScene.WAIT_NANOS,
            workers);
    opening.run();
    return opening;
  }

  private void open(CompletableFuture<ShrinkablePageRange> opening) {
    assertThat(opening).isCompleted();
    ShrinkablePageRange range = opening.join();
    scene.ranges.ranges.add(range);
    assertThat(range.budget().chargedPages()).isEqualTo(NEEDED);
    assertThat(uid.chargedPages()).isEqualTo(NEEDED);
    assertThat(range.useRange(0, 0).pageCount()).isZero();
  }

  @Test
  void open_nothingIsFree_waitsUntilAsMuchComesBack() {
    CompletableFuture<ShrinkablePageRange> opening = opening(Runnable::run).result();
    scene.queue.serve();
    assertThat(opening).isNotDone();
    assertThat(scene.queue.size()).isEqualTo(1);
    scene.hog.stopUsingRange(0, 1);
    scene.queue.serve();
    assertThat(opening).isNotDone();

    scene.hog.stopUsingRange(1, 2);
    scene.queue.serve();

    open(opening);
    assertThat(scene.freePages()).isZero();
    assertThat(scene.waits).containsExactly(WaitOutcome.GRANTED);
    assertThat(scene.refusals).isEmpty();
  }

  @Test
  void open_behindOneThatCannotUseWhatIsFree_doesNotWait() {
    scene.hog.stopUsingRange(0, NEEDED);
    assertThat(scene.ranges.shrinker.scan(NEEDED).reclaimed()).isEqualTo(NEEDED);
    CompletableFuture<PageSpans> large = scene.use(scene.big, 0, 10).result();
    scene.queue.serve();

    open(opening(Runnable::run).result());

    assertThat(large).isNotDone();
    assertThat(scene.waits).isEmpty();
  }

  @Test
  void open_timeIsUp_isRefusedWithTheTimeItWaited() {
    CompletableFuture<ShrinkablePageRange> opening = opening(Runnable::run).result();

    scene.time.addAndGet(WaitingScene.WAIT_NANOS);
    scene.queue.serve();

    assertThat(opening).isCompletedExceptionally();
    assertThat(scene.refusals).hasSize(1);
    assertThat(scene.refusals.getFirst())
        .hasMessageStartingWith("no memory for 2 pages after 10000 ms: resident 100 of 100 pages");
    assertThat(scene.waits).containsExactly(WaitOutcome.REFUSED);
    assertThat(uid.chargedPages()).isZero();
  }

  @Test
  void open_uidsLimitIsFullOnceItIsGranted_isRefusedAndKeepsNothing() {
    Deque<Runnable> workers = new ArrayDeque<>();
    CompletableFuture<ShrinkablePageRange> opening = opening(workers::add).result();
    scene.hog.stopUsingRange(0, NEEDED);
    scene.queue.serve();
    assertThat(workers).hasSize(1);
    scene.hog.stopUsingRange(NEEDED, NEEDED + 4);
    assertThat(scene.ranges.shrinker.scan(4).reclaimed()).isEqualTo(4);
    assertThat(uid.tryReserve(4)).isNull();

    workers.remove().run();

    assertThat(opening).isCompletedExceptionally();
    assertThat(scene.refusals).hasSize(1);
    assertThat(scene.refusals.getFirst().limit()).isEqualTo("--max-resident-bytes-per-uid");
    assertThat(uid.chargedPages()).isEqualTo(4);
    assertThat(scene.freePages()).isEqualTo(NEEDED);
    uid.release(4);
  }

  @Test
  void open_attemptFailsOnceItIsGranted_keepsNothing() {
    AtomicInteger attempts = new AtomicInteger();
    PendingOpening<ShrinkablePageRange> opening =
        new PendingOpening<>(
            scene.ranges.shrinker,
            "uid 1",
            _ -> {
              if (attempts.incrementAndGet() == 1) {
                throw new PendingOpening.MustWait(NEEDED);
              }
              throw new InternalError("no memory for the session");
            },
            WaitingScene.WAIT_NANOS,
            Runnable::run);
    opening.run();
    assertThat(opening.result()).isNotDone();
    scene.hog.stopUsingRange(0, NEEDED);

    scene.queue.serve();

    assertThat(attempts).hasValue(2);
    assertThat(opening.result().exceptionNow()).isInstanceOf(InternalError.class);
    assertThat(scene.freePages()).isEqualTo(NEEDED);
  }

  @Test
  void open_standingInLineFails_isToldAndStandsThereNoLonger() {
    InternalError failure = new InternalError("no memory to stand in line with");
    AtomicReference<PendingOpening<ShrinkablePageRange>> self = new AtomicReference<>();
    PendingOpening<ShrinkablePageRange> opening =
        new PendingOpening<>(
            scene.ranges.shrinker,
            "uid 1",
            _ -> {
              Objects.requireNonNull(self.get())
                  .giveUp(); // so that it looks at the clock once it stands in line
              scene.whenTimeIsRead =
                  () -> {
                    scene.whenTimeIsRead = () -> {};
                    throw failure;
                  };
              throw new PendingOpening.MustWait(NEEDED);
            },
            WaitingScene.WAIT_NANOS,
            Runnable::run);
    self.set(opening);

    Throwable thrown = catchThrowable(opening::run);

    assertThat(thrown).isNull();
    assertThat(opening.result()).isCompletedExceptionally();
    assertThat(opening.result().exceptionNow()).isSameAs(failure);
    assertThat(scene.queue.size()).isZero();
    assertThat(scene.waits).containsExactly(WaitOutcome.REFUSED);
  }

  @Test
  void giveUp_whileItWaits_leavesTheLineAndNothingBehind() {
    PendingOpening<ShrinkablePageRange> opening = opening(Runnable::run);
    scene.hog.stopUsingRange(0, 1);
    scene.queue.serve(); // one page has gathered

    opening.giveUp();
    scene.queue.serve();

    assertThat(opening.result()).isCancelled();
    assertThat(scene.queue.size()).isZero();
    assertThat(scene.freePages()).isEqualTo(1);
    assertThat(scene.waits).containsExactly(WaitOutcome.CANCELLED);
  }

  @Test
  void open_serverStopsBeforeItGoesOn_failsAndKeepsNothing() {
    PendingOpening<ShrinkablePageRange> opening =
        opening(_ -> {
          throw new RejectedExecutionException();
        });
    scene.hog.stopUsingRange(0, NEEDED);

    scene.queue.serve();

    assertThat(opening.result().exceptionNow()).isInstanceOf(PageFailure.Closed.class);
    assertThat(scene.freePages()).isEqualTo(NEEDED);
  }
}
