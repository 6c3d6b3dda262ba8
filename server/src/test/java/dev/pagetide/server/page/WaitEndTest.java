package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.WaitOutcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** How waits end: told once whatever fails, counted once, and with one look at the page tables. */
final class WaitEndTest {
  private static final long LONG_AGO = WaitingScene.WAIT_NANOS;

  private final WaitingScene scene = new WaitingScene();
  private final List<String> told = new ArrayList<>();

  @AfterEach
  void close() {
    scene.close();
  }

  private CompletableFuture<PageSpans> waitingUse(ShrinkablePageRange range, int pages) {
    CompletableFuture<PageSpans> use = scene.use(range, 0, pages).result();
    var _ = use.whenComplete((_, why) -> told.add(range.id() + " " + why));
    assertThat(use).isNotDone();
    return use;
  }

  @Test
  void refuse_makingTheRefusalFails_eachIsToldOnceNevertheless() {
    CompletableFuture<PageSpans> one = waitingUse(scene.big, 60);
    CompletableFuture<PageSpans> two = waitingUse(scene.other, 60);
    scene.whenRefused =
        () -> {
          throw new InternalError("no memory for the refusal");
        };
    scene.time.addAndGet(LONG_AGO);

    Throwable thrown = catchThrowable(scene.queue::serve);
    scene.queue.serve();

    assertThat(thrown).isNull();
    assertThat(one).isCompletedExceptionally();
    assertThat(two).isCompletedExceptionally();
    assertThat(told).hasSize(2).allMatch(why -> why.contains("InternalError"));
    assertThat(scene.queue.size()).isZero();
    assertThat(scene.waits).containsExactly(WaitOutcome.REFUSED, WaitOutcome.REFUSED);
  }

  /** A range that waits for five pages, while another of its uid takes what its uid had left. */
  private CompletableFuture<PageSpans> waitingUseAtItsUidsLimit(PageBudget uid) {
    ShrinkablePageRange range =
        scene.ranges.open(8, uid.child("--max-resident-bytes-per-session", 100));
    return waitingUse(range, 5);
  }

  private PageBudget uidOf(int pages) {
    return scene.ranges.budget.child("--max-resident-bytes-per-uid", pages);
  }

  @Test
  void refuse_makingTheRefusalOfALimitOfItsOwnFails_firstAndThoseBehindAreToldOnce() {
    PageBudget uid = uidOf(20);
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 4);
    CompletableFuture<PageSpans> first = waitingUseAtItsUidsLimit(uid);
    CompletableFuture<PageSpans> behind = waitingUseAtItsUidsLimit(uid);
    assertThat(scene.freePages()).isZero();
    scene.queue.serve();
    scene.hog.stopUsingRange(0, 20);
    assertThat(scene.ranges.shrinker.scan(20).reclaimed()).isEqualTo(20);
    assertThat(uid.tryReserve(15)).isNull(); // 19 of 20
    scene.whenRefused =
        () -> {
          throw new InternalError("no memory for the refusal");
        };

    Throwable thrown = catchThrowable(scene.queue::serve);

    uid.release(15);
    assertThat(thrown).isNull();
    assertThat(first).isCompletedExceptionally();
    assertThat(behind).isCompletedExceptionally();
    assertThat(told).hasSize(2).allMatch(why -> why.contains("InternalError"));
    assertThat(scene.queue.size()).isZero();
    assertThat(scene.waits).containsExactly(WaitOutcome.REFUSED, WaitOutcome.REFUSED);
  }

  @Test
  void refuse_limitOfItsOwnIsFullBehindOne_isToldThoughMakingTheRefusalFails() {
    PageBudget uid = uidOf(20);
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 2);
    CompletableFuture<PageSpans> first = waitingUse(scene.big, 15);
    CompletableFuture<PageSpans> behind = waitingUseAtItsUidsLimit(uid);
    scene.queue.serve();
    scene.hog.stopUsingRange(0, 14);
    scene.queue.serve(); // gathers for the first
    assertThat(first).isNotDone();
    assertThat(scene.ranges.budget.chargedPages()).isEqualTo(WaitingScene.BUDGET_PAGES);
    scene.small.stopUsingRange(0, 15);
    assertThat(scene.ranges.shrinker.scan(15).reclaimed()).isEqualTo(15);
    assertThat(uid.tryReserve(15)).isNull();
    scene.whenRefused =
        () -> {
          throw new InternalError("no memory for the refusal");
        };

    Throwable thrown = catchThrowable(scene.queue::serve);

    uid.release(15);
    assertThat(thrown).isNull();
    assertThat(told).hasSize(1).allMatch(why -> why.contains("InternalError"));
    assertThat(behind).isCompletedExceptionally();
    assertThat(first).isNotDone();
    first.cancel(true);
  }

  @Test
  void refuse_limitOfItsOwnIsFullOnceSomeHasGathered_tellsWhatWasAskedFor() {
    PageBudget uid = uidOf(20);
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 2);
    CompletableFuture<PageSpans> first = waitingUseAtItsUidsLimit(uid);
    scene.queue.serve();
    scene.hog.stopUsingRange(0, 3);
    scene.queue.serve();
    assertThat(uid.chargedPages()).isEqualTo(5); // three have gathered
    scene.small.stopUsingRange(0, 14);
    assertThat(scene.ranges.shrinker.scan(14).reclaimed()).isEqualTo(14);
    assertThat(uid.tryReserve(14)).isNull();

    scene.queue.serve();

    uid.release(14);
    assertThat(first).isCompletedExceptionally();
    assertThat(scene.refusals).hasSize(1);
    assertThat(scene.refusals.getFirst())
        .hasMessageStartingWith("no memory for 5 pages: resident 16 of 20 pages");
    assertThat(uid.chargedPages()).isEqualTo(2);
  }

  @Test
  void grant_noThreadToGoOnWith_isToldAndGivesBackWhatWasReserved() {
    CompletableFuture<PageSpans> use =
        scene
            .use(
                scene.big,
                0,
                60,
                _ -> {
                  throw new InternalError("unable to create native thread");
                })
            .result();
    scene.hog.stopUsingRange(0, 60);

    scene.queue.serve();

    assertThat(use).isCompletedExceptionally();
    assertThat(scene.freePages()).isGreaterThanOrEqualTo(60);
    assertThat(scene.waits).containsExactly(WaitOutcome.GRANTED);
  }

  @Test
  void waited_useThatHasToWaitTwice_isCountedOnce() {
    Deque<Runnable> workers = new ArrayDeque<>();
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 2);
    scene.big.useRange(0, 2);
    CompletableFuture<PageSpans> use = scene.use(scene.big, 0, 4, workers::add).result();
    scene.hog.stopUsingRange(0, 2);
    scene.queue.serve(); // reserves two pages, which the use goes on with later
    assertThat(workers).hasSize(1);
    scene.big.stopUsingRange(0, 2);
    assertThat(scene.ranges.shrinker.scan(2).reclaimed()).isEqualTo(2);
    scene.other.useRange(0, 2);

    workers.remove().run(); // needs four pages now, and has to wait again
    assertThat(use).isNotDone();
    assertThat(scene.queue.size()).isEqualTo(1);
    scene.hog.stopUsingRange(2, 6);
    scene.queue.serve();
    workers.remove().run();

    assertThat(use.join().pageCount()).isEqualTo(4);
    assertThat(scene.waits).containsExactly(WaitOutcome.GRANTED);
  }

  @Test
  void waited_useThatIsRefusedAfterItWasGranted_isCountedOnceAsRefused() {
    Deque<Runnable> workers = new ArrayDeque<>();
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 2);
    scene.big.useRange(0, 2);
    CompletableFuture<PageSpans> use = scene.use(scene.big, 0, 4, workers::add).result();
    scene.hog.stopUsingRange(0, 2);
    scene.queue.serve();
    scene.big.stopUsingRange(0, 2);
    assertThat(scene.ranges.shrinker.scan(2).reclaimed()).isEqualTo(2);
    scene.other.useRange(0, 2);
    workers.remove().run();

    scene.time.addAndGet(LONG_AGO);
    scene.queue.serve();

    assertThat(use).isCompletedExceptionally();
    assertThat(scene.waits).containsExactly(WaitOutcome.REFUSED);
  }

  /** What the first to be told stops shows in the second's numbers only if it is counted again. */
  @Test
  void refuse_severalInOneRound_countThePageTablesOnce() {
    AtomicReference<Runnable> once = new AtomicReference<>(() -> scene.hog.stopUsingRange(0, 5));
    scene.whenRefused = () -> once.getAndSet(() -> {}).run();
    CompletableFuture<PageSpans> one = waitingUse(scene.big, 60);
    CompletableFuture<PageSpans> two = waitingUse(scene.other, 60);
    scene.time.addAndGet(LONG_AGO);

    scene.queue.serve();

    assertThat(one).isCompletedExceptionally();
    assertThat(two).isCompletedExceptionally();
    assertThat(scene.hog.counts().available()).isEqualTo(5);
    assertThat(scene.refusals)
        .hasSize(2)
        .allSatisfy(refusal -> assertThat(refusal).hasMessageContaining("available 0 "));
  }
}
