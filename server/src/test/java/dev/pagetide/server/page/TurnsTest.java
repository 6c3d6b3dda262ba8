package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.WaitOutcome;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Who is served with what while memory is waited for: it gathers for the first in queue, what that
 * one cannot use passes to others, and nobody holds the line in vain twice in a row.
 */
final class TurnsTest {
  /** More than is free, and within the fair share of 25 pages. */
  private static final int TOO_MANY = WaitingScene.FREE_PAGES - 3;

  /** Longer than any test: all that is stopped is recent. */
  private static final long SPARED_NANOS = TimeUnit.HOURS.toNanos(1);

  private final WaitingScene scene = new WaitingScene();

  @AfterEach
  void close() {
    scene.close();
  }

  /** The large use waits, and so many pages are free. */
  private CompletableFuture<PageSpans> bigWaits(int free) {
    scene.small.useRange(0, WaitingScene.FREE_PAGES - free);
    CompletableFuture<PageSpans> big = scene.use(scene.big, 0, TOO_MANY).result();
    scene.queue.serve();
    assertThat(big).isNotDone();
    assertThat(scene.freePages()).isEqualTo(free);
    return big;
  }

  private static int pages(CompletableFuture<PageSpans> use) {
    assertThat(use).isCompleted();
    return use.join().pageCount();
  }

  @Test
  void use_fitsInWhatTheFirstCannotUse_doesNotWait() {
    CompletableFuture<PageSpans> big = bigWaits(20);

    assertThat(pages(scene.use(scene.other, 0, 1).result())).isEqualTo(1);
    assertThat(scene.other.useRange(1, 3).pageCount()).isEqualTo(2); // nor is one refused
    assertThat(scene.ranges.openSession(1).pageCount()).isEqualTo(1);
    assertThat(pages(scene.use(scene.other, 3, 18).result())).isEqualTo(15);

    assertThat(scene.freePages()).isZero();
    assertThat(big).isNotDone();
    assertThat(scene.waits).isEmpty();
    assertThat(scene.refusals).isEmpty();
  }

  @Test
  void use_doesNotFitInWhatTheFirstCannotUse_waitsOrIsRefusedAndReclaimsNothing() {
    CompletableFuture<PageSpans> big = bigWaits(2);
    scene.hog.stopUsingRange(0, 5);

    CompletableFuture<PageSpans> behind = scene.use(scene.other, 0, 3).result();
    PageFailure.NoMemory refusal =
        catchThrowableOfType(PageFailure.NoMemory.class, () -> scene.other.useRange(10, 13));

    assertThat(behind).isNotDone();
    assertThat(refusal).hasMessageContaining("; 2 requests wait and go first;");
    assertThat(scene.hog.counts().available()).isEqualTo(5);
    scene.queue.serve();
    assertThat(big).isNotDone();
    assertThat(behind).isNotDone();
    assertThat(scene.hog.counts().available()).isZero(); // gathered for the first
    assertThat(scene.freePages()).isEqualTo(2);
  }

  @Test
  void use_smallOnesTakeAllThatIsFree_theFirstIsServedOnceAsMuchCameBack() {
    CompletableFuture<PageSpans> big = bigWaits(10);
    List<CompletableFuture<PageSpans>> small = new ArrayList<>();

    for (int page = 0; page < TOO_MANY; page++) {
      assertThat(big).as("after %d pages", page).isNotDone();
      small.add(scene.use(scene.other, page, page + 1).result());
      scene.hog.stopUsingRange(page, page + 1);
      scene.queue.serve();
    }

    assertThat(pages(big)).isEqualTo(TOO_MANY);
    assertThat(small.stream().filter(CompletableFuture::isDone)).hasSize(10);
    assertThat(scene.freePages()).isZero();
    scene.hog.stopUsingRange(TOO_MANY, 2 * TOO_MANY);
    scene.queue.serve();
    assertThat(small).allMatch(CompletableFuture::isDone);
  }

  @Test
  void round_nothingMoreComesBack_whatHasGatheredPassesToOthers() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    CompletableFuture<PageSpans> behind = scene.use(scene.other, 0, 3).result();
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();
    assertThat(behind).isNotDone();
    assertThat(scene.freePages()).isZero();

    scene.stall();

    assertThat(pages(behind)).isEqualTo(3);
    assertThat(big).isNotDone();
    assertThat(scene.freePages()).isEqualTo(1);
  }

  @Test
  void round_oneHeldTheLineInVain_othersHaveTheNextTurnThoughTheyCameLater() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    CompletableFuture<PageSpans> bigsNext = scene.use(scene.big, 30, 50).result();
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();
    scene.stall(); // big has had its turn in vain
    CompletableFuture<PageSpans> behind = scene.use(scene.other, 0, 6).result();
    scene.queue.serve();
    assertThat(behind).isNotDone();

    scene.hog.stopUsingRange(4, 6);
    scene.queue.serve();

    assertThat(pages(behind)).isEqualTo(6);
    assertThat(big).isNotDone();
    scene.hog.stopUsingRange(6, 6 + TOO_MANY); // and has its turn again
    scene.queue.serve();
    assertThat(pages(big)).isEqualTo(TOO_MANY);
    assertThat(bigsNext).isNotDone();
    bigsNext.cancel(true);
  }

  @Test
  void round_oneWithinItsShareHeldTheLineInVain_oneBeyondItsOwnHasTheNextTurn() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    CompletableFuture<PageSpans> beyond = scene.use(scene.small, 30, 36).result();
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();
    scene.stall();
    assertThat(beyond).isNotDone();

    scene.hog.stopUsingRange(4, 6);
    scene.queue.serve();

    assertThat(pages(beyond)).isEqualTo(6);
    assertThat(big).isNotDone();
  }

  @Test
  void
      round_oneThatWentFirstBecauseOfATurnInVainGathersNothing_losesItsTurnToTheOneWhoCanReclaim() {
    try (WaitingScene sparing = new WaitingScene(SPARED_NANOS)) {
      CompletableFuture<PageSpans> big = bigHasHadItsTurnInVain(sparing);
      CompletableFuture<PageSpans> beyond = sparing.use(sparing.small, 30, 36).result();
      sparing.queue.serve();
      sparing.other.stopUsingRange(0, 4);
      sparing.queue.serve();
      assertThat(sparing.other.counts().available())
          .isEqualTo(4); // spared, as the turn is beyond's

      sparing.stall();

      assertThat(sparing.other.counts().available()).isZero(); // gathered for big
      assertThat(beyond).isNotDone();
      sparing.hog.stopUsingRange(4, TOO_MANY - 4);
      sparing.queue.serve();
      assertThat(pages(big)).isEqualTo(TOO_MANY);
    }
  }

  @Test
  void round_oneThatWentFirstBecauseOfATurnInVainLeavesEmptyHanded_itsNextDoesNotGoFirst() {
    try (WaitingScene sparing = new WaitingScene(SPARED_NANOS)) {
      CompletableFuture<PageSpans> big = bigHasHadItsTurnInVain(sparing);
      CompletableFuture<PageSpans> beyond = sparing.use(sparing.small, 30, 36).result();
      CompletableFuture<PageSpans> beyondsNext = sparing.use(sparing.small, 40, 46).result();
      sparing.queue.serve();
      sparing.other.stopUsingRange(0, 4);

      beyond.cancel(true);
      sparing.queue.serve();

      assertThat(sparing.other.counts().available()).isZero(); // gathered for big
      assertThat(big).isNotDone();
      assertThat(beyondsNext).isNotDone();
    }
  }

  /** Nothing but four pages is free, and four of another one within its share are USED. */
  private static CompletableFuture<PageSpans> bigHasHadItsTurnInVain(WaitingScene sparing) {
    sparing.small.useRange(0, WaitingScene.FREE_PAGES - 4);
    sparing.other.useRange(0, 4);
    CompletableFuture<PageSpans> big = sparing.use(sparing.big, 0, TOO_MANY).result();
    sparing.queue.serve();
    sparing.hog.stopUsingRange(0, 4);
    sparing.queue.serve();
    assertThat(sparing.freePages()).isZero();
    sparing.stall();
    assertThat(sparing.freePages()).isEqualTo(4);
    assertThat(big).isNotDone();
    return big;
  }

  @Test
  void round_theFirstIsOutranked_whatIsLeftOfWhatHadGatheredGathersAgain() {
    scene.small.useRange(0, WaitingScene.FREE_PAGES);
    CompletableFuture<PageSpans> beyond = scene.use(scene.small, 30, 40).result();
    scene.queue.serve();
    scene.hog.stopUsingRange(0, 6);
    scene.queue.serve();
    assertThat(scene.freePages()).isZero();
    CompletableFuture<PageSpans> within = scene.use(scene.big, 0, 2).result();

    scene.queue.serve();

    assertThat(pages(within)).isEqualTo(2);
    assertThat(scene.freePages()).isZero(); // four have gathered for the one beyond its share
    CompletableFuture<PageSpans> late = scene.use(scene.small, 50, 51).result();
    assertThat(late).isNotDone();
    scene.hog.stopUsingRange(6, 12);
    scene.queue.serve();
    assertThat(pages(beyond)).isEqualTo(10);
  }

  @Test
  void round_newcomerHasPassedAndIsNotChargedYet_itsPagesDoNotGather() {
    CompletableFuture<PageSpans> big = bigWaits(10);
    assertThat(scene.queue.tryPass(4)).isTrue();

    scene.queue.serve();

    assertThat(scene.freePages()).isEqualTo(10);
    scene.queue.passedNot(4);
    scene.queue.serve();
    assertThat(pages(scene.use(scene.other, 0, 10).result())).isEqualTo(10);
    assertThat(big).isNotDone();
  }

  /** What it took before the turn began is none of what is open in it, and must not count there. */
  @Test
  void round_turnBeginsWhileANewcomerScansBelowItsOwnLimit_whatComesBackGathersMeanwhile() {
    PageBudget uid = scene.ranges.budget.sharedChild("--max-resident-bytes-per-uid", 2 + 2);
    ShrinkablePageRange narrow =
        scene.ranges.open(8, uid.child("--max-resident-bytes-per-session", 100));
    narrow.useRange(0, 2);
    scene.small.useRange(0, (int) scene.freePages() - 4);
    CompletableFuture<PageSpans> big = scene.use(scene.big, 0, 10).result();
    narrow.stopUsingRange(0, 2);
    List<Long> freeDuringScan = new ArrayList<>();
    scene.whenNewcomerScans =
        () -> {
          scene.hog.stopUsingRange(0, 3);
          scene.queue.serve();
          freeDuringScan.add(scene.freePages());
        };

    CompletableFuture<PageSpans> newcomer = scene.use(narrow, 2, 4).result();

    assertThat(freeDuringScan).as("the three have gathered").containsExactly(4L + 2);
    assertThat(pages(newcomer)).isEqualTo(2);
    assertThat(scene.freePages()).isEqualTo(4);
    assertThat(big).isNotDone();
    scene.hog.stopUsingRange(3, 6);
    scene.queue.serve();
    assertThat(pages(big)).isEqualTo(10);
  }

  @Test
  void round_newcomersScanFindsNothingWhileANeighbourEnds_newcomerIsGivenWhatThatLeft() {
    PageBudget uid = scene.ranges.budget.sharedChild("--max-resident-bytes-per-uid", 2 + 2 + 2);
    ShrinkablePageRange neighbour =
        scene.ranges.open(8, uid.child("--max-resident-bytes-per-session", 100));
    ShrinkablePageRange narrow =
        scene.ranges.open(8, uid.child("--max-resident-bytes-per-session", 100));
    neighbour.useRange(0, 2);
    scene.small.useRange(0, (int) scene.freePages() - 4);
    CompletableFuture<PageSpans> big = scene.use(scene.big, 0, 10).result();
    scene.whenNewcomerScans = neighbour::close;

    CompletableFuture<PageSpans> newcomer = scene.use(narrow, 0, 2).result();

    assertThat(pages(newcomer)).isEqualTo(2);
    assertThat(scene.refusals).isEmpty();
    assertThat(big).isNotDone();
  }

  @Test
  void round_severalHeldTheLineInVain_oneThatNeverDidGoesBeforeThem() {
    ShrinkablePageRange fifth = scene.ranges.openSession(WaitingScene.HOG_PAGES);
    scene.small.useRange(0, WaitingScene.FREE_PAGES - 2);
    CompletableFuture<PageSpans> one = scene.use(scene.big, 0, 10).result();
    CompletableFuture<PageSpans> two = scene.use(scene.other, 0, 10).result();
    for (int page = 0; page < 2; page++) { // the turn of the one, and then of the other
      scene.queue.serve();
      scene.hog.stopUsingRange(page, page + 1);
      scene.queue.serve();
      scene.stall();
    }
    CompletableFuture<PageSpans> late = scene.use(fifth, 0, 5).result();
    scene.queue.serve();
    assertThat(late).isNotDone();

    scene.hog.stopUsingRange(2, 5);
    scene.queue.serve();

    assertThat(pages(late)).isEqualTo(5);
    assertThat(one).isNotDone();
    assertThat(two).isNotDone();
  }

  @Test
  void round_somethingComesBackAllTheTime_theFirstKeepsItsTurnForHalfOfItsTime() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    CompletableFuture<PageSpans> behind = scene.use(scene.other, 0, 2).result();
    long step = WaitingScene.WAIT_NANOS / 24; // more than a stall: something came back just before
    int page = 0;
    while (page < 11) {
      scene.hog.stopUsingRange(page, ++page);
      scene.queue.serve();
      assertThat(behind).as("after %d pages", page).isNotDone();
      scene.time.addAndGet(step);
    }

    scene.hog.stopUsingRange(page, page + 2);
    scene.time.addAndGet(2 * step);
    scene.queue.serve();

    assertThat(pages(behind)).isEqualTo(2);
    assertThat(big).isNotDone();
    assertThat(scene.freePages()).isEqualTo(11);
  }

  @Test
  void round_nothingHasGathered_theOrderOfArrivalStays() {
    scene.small.useRange(0, WaitingScene.FREE_PAGES);
    CompletableFuture<PageSpans> one = scene.use(scene.big, 0, 4).result();
    CompletableFuture<PageSpans> two = scene.use(scene.other, 0, 4).result();
    scene.stall();
    scene.stall();

    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();

    assertThat(one).isDone();
    assertThat(two).isNotDone();
  }

  @Test
  void round_timeOfTheFirstIsUp_itIsRefusedWithoutWhatGatheredForIt() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();
    assertThat(scene.freePages()).isZero();

    scene.time.addAndGet(WaitingScene.WAIT_NANOS);
    scene.queue.serve();

    assertThat(big).isCompletedExceptionally();
    assertThat(scene.refusals.getFirst())
        .hasMessageContaining("no memory for " + TOO_MANY + " pages after ")
        .hasMessageContaining(" ms: resident 96 of 100 pages, available 0");
    assertThat(scene.freePages()).isEqualTo(4);
    assertThat(scene.queue.size()).isZero();
  }

  @Test
  void cancel_theFirstForWhichMemoryGathered_givesItBack() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();

    big.cancel(true);
    scene.queue.serve();

    assertThat(scene.freePages()).isEqualTo(4);
    assertThat(scene.waits).containsExactly(WaitOutcome.CANCELLED);
    assertThat(scene.queue.size()).isZero();
  }

  @Test
  void close_rangeForWhichMemoryGathered_givesItBack() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();

    scene.big.close();
    scene.queue.serve();

    assertThat(big).isCompletedExceptionally();
    assertThat(scene.freePages()).isEqualTo(4 + 2); // with its header and table
    assertThat(scene.waits).containsExactly(WaitOutcome.ENDED);
  }

  @Test
  void serveWhile_endsWhileMemoryHasGathered_givesItBack() {
    CompletableFuture<PageSpans> big = bigWaits(0);
    scene.hog.stopUsingRange(0, 4);
    scene.queue.serve();
    assertThat(scene.freePages()).isZero();

    scene.queue.serveWhile(() -> false);

    assertThat(scene.freePages()).isEqualTo(4);
    big.cancel(true);
  }
}
