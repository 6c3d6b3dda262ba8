package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The thread of the audit by time: it needs no call and no scan, and it goes on after a bug. */
@Promise(32)
final class BackgroundAuditTest {
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final List<Throwable> bugs = new CopyOnWriteArrayList<>();

  private TestRanges ranges() {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));
  }

  private static Set<Thread> auditThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("pagetide-audit"))
        .collect(Collectors.toSet());
  }

  @Test
  void strays_noClientCallsAndNobodyScans_areTakenAndCounted() {
    try (TestRanges ranges = ranges();
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add);
        ClientView one = new ClientView(ranges.open(8));
        ClientView other = new ClientView(ranges.open(2_000))) {
      one.scribble(3, 9);
      other.fallocate(0, 2_000);

      await().until(() -> ranges.shrinker.counters().strays() == 2_001);
      assertThat(ranges.ranges.getFirst().strays()).isEqualTo(1);

      one.scribble(3, 9); // and again
      await().until(() -> ranges.ranges.getFirst().strays() == 2);
      assertThat(bugs).isEmpty();
      ranges.checkInvariants();
    }
  }

  @Test
  void strays_rangeIsOpenedAfterAllHadEnded_areTaken() {
    try (TestRanges ranges = ranges();
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      for (int i = 0; i < 3; i++) {
        ShrinkablePageRange range = ranges.open(8);
        try (ClientView client = new ClientView(range)) {
          client.scribble(3, 9);
          await().until(() -> range.strays() == 1);
        }
        range.close();
      }
      assertThat(bugs).isEmpty();
    }
  }

  @Test
  void strays_anotherRangeFails_areTakenAndTheFailureIsTold() {
    AtomicBoolean fails = new AtomicBoolean(true);
    try (TestRanges ranges = ranges();
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add);
        ClientView client = new ClientView(ranges.open(8))) {
      script.beforeEach(() -> {
        if (fails.getAndSet(false)) {
          throw new IllegalStateException("a bug");
        }
      });
      await().until(() -> !bugs.isEmpty());

      client.scribble(3, 9);

      await().until(() -> ranges.shrinker.counters().strays() == 1);
      assertThat(bugs).hasSize(1).allSatisfy(bug -> assertThat(bug).hasMessage("a bug"));
    }
  }

  @Test
  void close_rangesAreLeft_endsTheThread() {
    Set<Thread> before = auditThreads();
    try (TestRanges ranges = ranges()) {
      BackgroundReclaim background = BackgroundReclaim.start(ranges.shrinker, bugs::add);
      Set<Thread> started = auditThreads();
      started.removeAll(before);
      assertThat(started).hasSize(1);
      ranges.open(8);
      await().until(() -> ranges.shrinker.counters().auditRounds() > 0);

      background.close();

      assertThat(started).noneMatch(Thread::isAlive);
      assertThat(bugs).isEmpty();
    }
  }
}
