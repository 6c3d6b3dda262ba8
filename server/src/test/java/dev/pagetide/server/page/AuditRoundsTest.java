package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The audit by time, step by step and with a clock that is set by hand: it finds strays of clients
 * that make no call, on a server that does not scan, and no client keeps it from the others.
 */
@Promise(32)
final class AuditRoundsTest {
  private static final int MOST_STEPS = 1_000;

  /** More than one step of the audit punches. */
  private static final int LARGE = 4_096;

  /** What one step punches at most. */
  private static final int ONE_STEP = StrayAudit.FEW_HOLDS * ResidentPages.MAX_PAGES_PER_HOLD;

  private final AtomicLong time = new AtomicLong(1_000_000_000);
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final List<ClientView> clients = new ArrayList<>();
  private int taken;

  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          time::get,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));

  private final AuditRounds rounds = rounds(AuditRounds.PATIENCE_NANOS);

  private AuditRounds rounds(long patienceNanos) {
    return new AuditRounds(
        ranges.shrinker.liveRanges(), ranges.shrinker.context(), () -> taken++, patienceNanos);
  }

  @AfterEach
  void close() {
    clients.forEach(ClientView::close);
    ranges.close();
  }

  private ClientView open(int pages) {
    ClientView client = new ClientView(ranges.open(pages));
    clients.add(client);
    return client;
  }

  private long strays(int range) {
    return ranges.ranges.get(range).strays();
  }

  private long foundInAll() {
    return ranges.shrinker.counters().strays();
  }

  /** Steps until the round is over; returns the pause until the next one. */
  private long finishRound() {
    for (int steps = 0; steps < MOST_STEPS; steps++) {
      long pause = rounds.step();
      if (pause > 0) {
        return pause;
      }
    }
    throw new AssertionError("work was left after " + MOST_STEPS + " steps");
  }

  @Test
  void step_noRange_pausesUntilOneIsAdded() {
    assertThat(rounds.step()).isEqualTo(AuditRounds.UNTIL_ADDED);
    assertThat(ranges.shrinker.counters().auditRounds()).isZero();

    open(8).scribble(3, 9);

    assertThat(finishRound()).isEqualTo(AuditRounds.ROUND_NANOS);
    assertThat(foundInAll()).isEqualTo(1);
  }

  @Test
  void step_straysInRangesNobodyAsksFor_takesAndCountsAllInOneRound() {
    for (int i = 0; i < 20; i++) {
      open(8);
    }
    ranges.ranges.getFirst().useRange(2, 4);
    Pages.fill(ranges.ranges.getFirst(), 2, 4, 7);
    for (ClientView client : clients) {
      client.scribble(0, 9);
      client.get(7, 0); // reading is enough
    }

    long pause = finishRound();

    assertThat(pause).isEqualTo(AuditRounds.ROUND_NANOS);
    assertThat(ranges.ranges).allSatisfy(range -> assertThat(range.strays()).isEqualTo(2));
    assertThat(taken).as("told each time").isEqualTo(20);
    assertThat(ranges.shrinker.counters().auditRounds()).isEqualTo(1);
    assertThat(Pages.bytes(ranges.ranges.getFirst(), 2, 4)).containsOnly(7);
    ranges.checkInvariants();
  }

  @Test
  void step_nothingToFind_looksOnceAtEachRangeAndPunchesNothing() {
    open(8);
    open(8);
    ranges.ranges.getFirst().useRange(0, 4);
    script.failFrom(Integer.MAX_VALUE, Integer.MAX_VALUE, null);

    assertThat(rounds.step()).isEqualTo(AuditRounds.ROUND_NANOS);
    time.addAndGet(AuditRounds.ROUND_NANOS - 1);
    assertThat(rounds.step()).as("not due").isEqualTo(1);

    assertThat(script.calls()).isEqualTo(2);
    assertThat(taken).isZero();
    time.addAndGet(1);
    assertThat(rounds.step()).isEqualTo(AuditRounds.ROUND_NANOS);
    assertThat(script.calls()).isEqualTo(4);
  }

  @Test
  void step_largeRangeFullOfStrays_doesNotKeepTheNextRangeWaiting() {
    open(LARGE).fallocate(0, LARGE);
    open(8).scribble(3, 9);

    rounds.step();
    rounds.step();

    assertThat(strays(0)).isEqualTo(ONE_STEP);
    assertThat(strays(1)).isEqualTo(1);
  }

  @Test
  void step_clientTouchesAllOfItsPagesAllTheTime_costsOncePerRoundAndHidesNobody() {
    ClientView hostile = open(LARGE);
    ClientView other = open(8);
    for (int round = 1; round <= 3; round++) {
      long pause = 0;
      int steps = 0;
      while (pause == 0 && steps < MOST_STEPS) {
        hostile.fallocate(0, LARGE);
        pause = rounds.step();
        steps++;
      }
      assertThat(pause).isEqualTo(AuditRounds.ROUND_NANOS);
      assertThat(strays(0)).as("once round").isEqualTo((long) round * LARGE);
      time.addAndGet(AuditRounds.ROUND_NANOS);
    }

    other.scribble(3, 9);
    hostile.fallocate(0, LARGE);
    rounds.step();
    rounds.step();

    assertThat(strays(1)).isEqualTo(1);
  }

  @Test
  void step_roundIsDueWhileTurnsAreLeft_looksAtTheOtherRanges() {
    open(LARGE).fallocate(0, LARGE);
    ClientView other = open(8);
    rounds.step();
    other.scribble(3, 9);
    time.addAndGet(AuditRounds.ROUND_NANOS);

    rounds.step();
    rounds.step();

    assertThat(strays(0)).as("the turn it had, and no second one").isEqualTo(2L * ONE_STEP);
    assertThat(strays(1)).isEqualTo(1);
  }

  @Test
  void step_rangeIsBusy_isAuditedInTheNextRound() {
    open(8).scribble(3, 9);
    open(8).scribble(3, 9);
    try (HeldLock held = new HeldLock(ranges.ranges.getFirst())) {
      assertThat(held).isNotNull();
      assertThat(finishRound()).isEqualTo(AuditRounds.ROUND_NANOS);
      assertThat(strays(0)).isZero();
      assertThat(strays(1)).isEqualTo(1);
    }
    time.addAndGet(AuditRounds.ROUND_NANOS);

    finishRound();

    assertThat(strays(0)).isEqualTo(1);
  }

  /** A client that allocates all the time would otherwise keep its strays. */
  @Test
  void step_rangeIsBusyForAShortTime_waitsForItsLock() throws InterruptedException {
    open(8).scribble(3, 9);
    ReentrantLock lock = ranges.ranges.getFirst().pages().lock;
    AuditRounds patient = rounds(TimeUnit.MINUTES.toNanos(1));
    try (HeldLock held = new HeldLock(ranges.ranges.getFirst())) {
      Thread letsGo =
          Thread.ofPlatform()
              .start(() -> {
                while (!lock.hasQueuedThreads()) {
                  Thread.onSpinWait();
                }
                held.release();
              });

      patient.step();
      letsGo.join();
    }

    assertThat(strays(0)).isEqualTo(1);
  }

  @Test
  void step_rangeEndsBeforeItsTurn_isForgotten() {
    open(LARGE).fallocate(0, LARGE);
    open(8).scribble(3, 9);
    rounds.step();
    ranges.ranges.getFirst().close();
    long found = strays(0);

    finishRound();

    assertThat(strays(0)).isEqualTo(found);
    assertThat(strays(1)).isEqualTo(1);
    ranges.ranges.get(1).close();
    assertThat(rounds.step()).isEqualTo(AuditRounds.UNTIL_ADDED);
  }

  @Test
  void step_oneRangeFails_throwsAfterAllOthersWereLookedAt() {
    for (int i = 0; i < 3; i++) {
      open(8).scribble(3, 9);
    }
    script.beforeNext(FailingPageFile.Call.RESIDENT_PAGES, AuditRoundsTest::bug);

    assertThatThrownBy(rounds::step).hasMessage("a bug");
    finishRound();

    assertThat(foundInAll()).isEqualTo(2);
    time.addAndGet(AuditRounds.ROUND_NANOS);
    finishRound();
    assertThat(foundInAll()).isEqualTo(3);
  }

  private static void bug() {
    throw new IllegalStateException("a bug");
  }

  @Test
  void step_kernelRefuses_leavesItForTheNextRound() {
    open(8).scribble(3, 9);
    script.failEvery(FailingPageFile.Call.PUNCH);
    assertThat(finishRound()).isEqualTo(AuditRounds.ROUND_NANOS);
    assertThat(foundInAll()).isZero();
    script.failNone();
    time.addAndGet(AuditRounds.ROUND_NANOS);

    finishRound();

    assertThat(foundInAll()).isEqualTo(1);
    ranges.checkInvariants();
  }
}
