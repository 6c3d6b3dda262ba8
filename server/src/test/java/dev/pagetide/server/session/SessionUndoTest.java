package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.kit.FailingSteps;
import dev.pagetide.server.kit.FailingSteps.Failure;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Opening and ending a session where one step fails, each in turn: nothing is left charged, open,
 * mapped, listed, counted or named. The registry admits one session, so one that was forgotten
 * would keep out the next.
 */
final class SessionUndoTest {
  private static final String FILE = "pagetide-undo-test";
  private static final String NAME = "the only one";
  private static final int PAGES = 16;

  private final Peer peer = Peer.unix(1000, 1);
  private final FailingSteps steps = new FailingSteps();

  /** Goes on by so much at each reading that no reading of the host is good for the next. */
  private final AtomicLong nanos = new AtomicLong();

  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
  private final Shrinker shrinker =
      new Shrinker(
          budget,
          steps.around(PageClock.class, () -> nanos.addAndGet(2_000_000)),
          steps.around(PageObserver.class, PageObserver.NONE),
          new ReclaimConfig(
              Long.MAX_VALUE, Long.MAX_VALUE, 0, steps.around(HostHeadroom.class, new Roomy())));
  private final SessionRegistry sessions =
      new SessionRegistry(
          new SessionConfig(1, 1, 1000, 1000),
          new RangeConfig(steps.around(PageFileMaker.class, new StepByStep()), 1 << 20, 1),
          budget,
          shrinker,
          steps.around(InstantSource.class, InstantSource.system()));

  private @Nullable Session session;

  /** Real memfds, known by their name, whose calls are steps. */
  private final class StepByStep implements PageFileMaker {
    @Override
    public PageFile make(String name, SharedFileLayout layout) throws SystemCallException {
      return steps.around(PageFile.class, Memfd.create(FILE, layout));
    }
  }

  private static final class Roomy implements HostHeadroom {
    @Override
    public long roomPages() {
      return 1000;
    }

    @Override
    public String describe() {
      return "a host with room";
    }
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    endIfOpen(EndReason.CANCELLED);
    assertNothingLeft();
  }

  private Session open(RangeMode mode) {
    Session opened = sessions.open(peer, NAME, mode, (long) PAGES * Memfd.systemPageSize());
    session = opened;
    return opened;
  }

  private void endIfOpen(EndReason reason) {
    Session opened = session;
    session = null;
    if (opened != null) {
      sessions.end(opened, reason);
    }
  }

  private void assertNothingLeft() throws IOException {
    assertThat(budget.chargedPages()).as("pages charged").isZero();
    assertThat(descriptors()).as("descriptors").isZero();
    assertThat(mappings()).as("mappings").isZero();
    assertThat(shrinker.bookkeepingPages()).as("pages of registered ranges").isZero();
    assertThat(sessions.size()).as("sessions").isZero();
    assertThat(sessions.sessionsAfter(0)).as("listed sessions").isEmpty();
  }

  private static long descriptors() throws IOException {
    try (var links = Files.list(Path.of("/proc/self/fd"))) {
      return links.filter(SessionUndoTest::isOurs).count();
    }
  }

  private static boolean isOurs(Path link) {
    try {
      return Files.readSymbolicLink(link).toString().contains(FILE);
    } catch (IOException e) {
      return false; // the descriptor that lists the others
    }
  }

  private static long mappings() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains(FILE)).count();
    }
  }

  @ParameterizedTest
  @EnumSource(Failure.class)
  void open_aStepFails_leavesNothingOfTheSession(Failure how) throws Exception {
    Set<String> failed =
        steps.failEach(
            how,
            () -> {},
            () -> open(RangeMode.BUFFERS),
            () -> {
              endIfOpen(EndReason.CANCELLED);
              assertNothingLeft();
            });

    if (how == Failure.ERRNO) {
      assertThat(failed).containsExactly("PageFileMaker.make");
    } else {
      assertThat(failed)
          .contains(
              "HostHeadroom.roomPages",
              "PageFileMaker.make",
              "PageFile.header",
              "PageFile.table",
              "PageClock.nanos",
              "InstantSource.instant");
    }
    assertThat(sessions.opened()).as("one was opened without a failure").isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"OUT_OF_MEMORY", "CLOSED"})
  void end_aStepFails_takesTheOthersAllTheSame(Failure how) throws Exception {
    for (EndReason reason : EndReason.values()) {
      long endedBefore = sessions.endedFor(reason);
      long openedBefore = sessions.opened();
      Set<String> failed =
          steps.failEach(
              how,
              () -> {
                Session opened = open(RangeMode.PAGES);
                var _ = opened.range().useRange(0, PAGES / 2);
                opened.whenEnding(steps.around(Runnable.class, () -> {}));
              },
              () -> endIfOpen(reason),
              this::assertNothingLeft);

      assertThat(failed)
          .contains(
              "Runnable.run",
              "PageClock.nanos",
              "PageFile.header",
              "PageFile.close",
              "PageObserver.closed");
      assertThat(sessions.endedFor(reason) - endedBefore)
          .as("sessions that ended for %s, of all that were opened", reason)
          .isEqualTo(sessions.opened() - openedBefore)
          .isGreaterThan(failed.size());
    }
  }
}
