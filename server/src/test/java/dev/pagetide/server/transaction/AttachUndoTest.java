package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.kit.FailingSteps;
import dev.pagetide.server.kit.FailingSteps.Failure;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.nio.ByteBuffer;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Attaching and leaving where one step fails, each in turn: no session keeps an endpoint, and every
 * asker that waits for the endpoint is told.
 */
final class AttachUndoTest {
  private static final long ATTACH = 1;
  private static final List<Long> ASKS = List.of(2L, 3L, 4L);

  private final Peer peer = Peer.unix(1000, 1);
  private final FailingSteps steps = new FailingSteps();
  private SessionRegistry sessions = registry();
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final EndpointRegistry endpoints =
      new EndpointRegistry(
          new TransactionConfig(16, 16, 0, TransactRule.OWN),
          steps.around(PageClock.class, PageClock.MONOTONIC),
          Runnable::run,
          steps.around(Executor.class, Runnable::run),
          timer,
          steps.around(TransactionObserver.class, TransactionObserver.NONE));

  private @Nullable Session bobSession;
  private @Nullable Endpoint alice;
  private @Nullable Endpoint bob;
  private Told toldAlice = new Told();
  private Told toldBob = new Told();

  /** Takes every event at once, and remembers how it ended. */
  private static final class Told implements EventSink {
    private final List<Event> events = new ArrayList<>();
    private int ends;

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public boolean add(Event event) {
      events.add(event);
      return false;
    }

    @Override
    public void flush() {}

    @Override
    public void end(Throwable why) {
      ends++;
    }
  }

  private static SessionRegistry registry() {
    PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
    return new SessionRegistry(
        new SessionConfig(10, 10, 1000, 1000),
        new RangeConfig(PageFileMaker.MEMFD, 1 << 20, 1),
        budget,
        new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE),
        InstantSource.system());
  }

  private Session open(String name) {
    return sessions.open(peer, name, RangeMode.BUFFERS, 1 << 20);
  }

  private Endpoint attach(Session session, Told told, boolean receives) {
    return endpoints.attach(ATTACH, session, peer, receives, steps.around(EventSink.class, told));
  }

  @AfterEach
  void endAll() {
    timer.shutdownNow();
    List.copyOf(sessions.sessionsAfter(0))
        .forEach(session -> sessions.end(session, EndReason.CANCELLED));
    assertThat(endpoints.size()).isZero();
    assertThat(endpoints.sessionCount()).isZero();
  }

  private void ask(Endpoint asker, long command) {
    TransactRequest request =
        new TransactRequest("bob", peer.uid(), 0, 0, false, false, 8, 0, endpoints.nanos());
    asker.transact(command, request, new Payload.Bytes(ByteBuffer.allocate(8)), () -> {});
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"OUT_OF_MEMORY", "CLOSED"})
  void attach_aStepFails_leavesTheSessionFree(Failure how) throws Exception {
    Session session = open("bob");
    Endpoint asker = attach(open("alice"), toldAlice, false);

    Set<String> failed =
        steps.failEach(
            how,
            () -> bob = null,
            () -> bob = attach(session, new Told(), true),
            () -> {
              Endpoint attached = bob;
              if (attached != null) {
                attached.end(new PageFailure.Closed());
              }
              assertThat(endpoints.size()).as("endpoints beside the asker").isEqualTo(1);
              ask(asker, 2);
              assertThat(toldAlice.events.getLast()).isInstanceOf(Event.Failed.class);

              Told told = new Told();
              Endpoint next = attach(session, told, true);
              assertThat(told.events).singleElement().isInstanceOf(Event.Attached.class);
              ask(asker, 3);
              assertThat(told.events.getLast()).isInstanceOf(Event.Delivered.class);
              next.end(new PageFailure.Closed());
            });

    assertThat(failed)
        .contains("EventSink.isReady", "Executor.execute", "EventSink.add", "EventSink.flush");
    assertThat(endpoints.sessionCount()).as("both sessions").isEqualTo(2);
  }

  /** Bob, to whom Alice has sent transactions that he has not replied to. */
  private void bobIsAsked() {
    toldAlice = new Told();
    toldBob = new Told();
    sessions = registry(); // the same numbers each time, and so the same order of steps
    bobSession = open("bob");
    Endpoint asker = endpoints.attach(ATTACH, open("alice"), peer, false, toldAlice);
    alice = asker;
    bob = attach(bobSession, toldBob, true);
    ASKS.forEach(command -> ask(asker, command));
    assertThat(toldBob.events).hasSize(1 + ASKS.size());
  }

  private void aliceIsToldAndBobIsGone() {
    Endpoint asker = alice;
    if (asker == null) {
      throw new AssertionError("nobody asked");
    }
    asker.drain(); // what an executor that failed did not send
    for (long command : ASKS) {
      assertThat(toldAlice.events)
          .filteredOn(event -> event.command() == command)
          .as("answers to %d", command)
          .singleElement()
          .isInstanceOf(Event.Failed.class);
    }
    assertThat(toldBob.ends).as("ends of Bob's stream").isLessThanOrEqualTo(1);
    assertThat(endpoints.size()).as("endpoints beside the asker").isEqualTo(1);
    ask(asker, 9);
    assertThat(toldAlice.events.getLast().command()).isEqualTo(9);
    assertThat(toldAlice.events.getLast()).isInstanceOf(Event.Failed.class);
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"OUT_OF_MEMORY", "CLOSED"})
  void end_aStepFails_tellsAllAskersAndFreesTheSession(Failure how) throws Exception {
    Set<String> failed =
        steps.failEach(
            how,
            this::bobIsAsked,
            () -> bob().end(new PageFailure.Closed()),
            () -> {
              aliceIsToldAndBobIsGone();
              bob = attach(bobSession(), new Told(), true);
              endSessions();
            });

    assertThat(failed).contains("Executor.execute", "TransactionObserver.ended", "EventSink.end");
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"OUT_OF_MEMORY", "CLOSED"})
  void sessionEnds_aStepFails_takesEndpointAndNameWithIt(Failure how) throws Exception {
    Set<String> failed =
        steps.failEach(
            how,
            this::bobIsAsked,
            () -> sessions.end(bobSession(), EndReason.DISCONNECTED),
            () -> {
              aliceIsToldAndBobIsGone();
              assertThat(endpoints.sessionCount()).as("the asker's session").isEqualTo(1);
              assertThat(sessions.size()).isEqualTo(1);
              assertThatThrownBy(() -> attach(bobSession(), new Told(), true))
                  .isInstanceOf(PageFailure.Closed.class);
              endSessions(); // or their names would not be free for the next
            });

    assertThat(failed).contains("TransactionObserver.ended", "EventSink.end");
  }

  @ParameterizedTest
  @EnumSource(
      value = Failure.class,
      names = {"OUT_OF_MEMORY", "CLOSED"})
  void endAll_aStepFails_endsTheOthers(Failure how) throws Exception {
    Set<String> failed =
        steps.failEach(
            how,
            this::bobIsAsked,
            endpoints::endAll,
            () -> {
              assertThat(endpoints.size()).isZero();
              endSessions();
            });

    assertThat(failed).contains("TransactionObserver.ended", "EventSink.end");
  }

  @Test
  void attach_sessionThatHasEnded_isRefusedAndLeavesNothing() {
    Session session = open("bob");
    sessions.end(session, EndReason.CANCELLED);

    assertThatThrownBy(() -> attach(session, toldBob, true)).isInstanceOf(PageFailure.Closed.class);

    assertThat(endpoints.sessionCount()).isZero();
    assertThat(toldBob.events).isEmpty();
  }

  private void endSessions() {
    List.copyOf(sessions.sessionsAfter(0))
        .forEach(session -> sessions.end(session, EndReason.CANCELLED));
    assertThat(endpoints.sessionCount()).isZero();
  }

  private Endpoint bob() {
    Endpoint attached = bob;
    if (attached == null) {
      throw new AssertionError("Bob is not attached");
    }
    return attached;
  }

  private Session bobSession() {
    Session opened = bobSession;
    if (opened == null) {
      throw new AssertionError("Bob has no session");
    }
    return opened;
  }
}
