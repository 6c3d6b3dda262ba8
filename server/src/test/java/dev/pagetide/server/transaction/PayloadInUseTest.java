package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.buffer.BufferFailure;
import dev.pagetide.server.buffer.Clearing;
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
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A transaction that fails while its payload is in use: whoever is told so may free the payload at
 * once.
 */
final class PayloadInUseTest {
  private static final int SIZE = 2 * Clearing.INLINE_BYTES;
  private static final long ATTACH = 1;
  private static final long ALLOCATE = 2;
  private static final long ASK = 3;
  private static final long CANCEL = 4;
  private static final long REPLY = 7;
  private static final long FREE = 5;
  private static final long FREE_AGAIN = 6;

  private final Peer peer = Peer.unix(1000, 1);
  private final SessionRegistry sessions = registry();
  private final Told toldAlice = new Told();
  private final Told toldBob = new Told();
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();

  /** What the workers are to do; it is done when a test says so. */
  private final ArrayDeque<Runnable> work = new ArrayDeque<>();

  private final EndpointRegistry endpoints =
      new EndpointRegistry(
          new TransactionConfig(16, 16, 0, TransactRule.OWN),
          PageClock.MONOTONIC,
          work::add,
          Runnable::run,
          timer,
          TransactionObserver.NONE);
  private final Endpoint alice = endpoints.attach(ATTACH, open("alice"), peer, false, toldAlice);
  private final Endpoint bob = endpoints.attach(ATTACH, open("bob"), peer, true, toldBob);

  private long staged;

  /** Takes every event at once. */
  private static final class Told implements EventSink {
    private final List<Event> events = new ArrayList<>();

    /** As if it had a bug. */
    private boolean broken;

    @Override
    public boolean isReady() {
      if (broken) {
        throw new IllegalStateException("a bug");
      }
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
    public void end(Throwable why) {}

    private List<Event> answersTo(long command) {
      return events.stream().filter(event -> event.command() == command).toList();
    }

    private Throwable failureOf(long command) {
      assertThat(answersTo(command)).hasSize(1);
      return switch (answersTo(command).getFirst()) {
        case Event.Failed failed -> failed.why();
        case Event.NotFreed free -> free.why();
        case Event other -> throw new AssertionError("not failed: " + other);
      };
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

  /** A staged buffer whose bytes are on their way: a worker is to make room for them, and copy. */
  @BeforeEach
  void askWithAStagedBuffer() {
    alice.allocate(ALLOCATE, SIZE, false, () -> {});
    doWork();
    assertThat(toldAlice.answersTo(ALLOCATE)).singleElement().isInstanceOf(Event.Allocated.class);
    staged = ((Event.Allocated) toldAlice.answersTo(ALLOCATE).getFirst()).offset();
    TransactRequest request =
        new TransactRequest("bob", peer.uid(), 0, 0, false, false, SIZE, 0, endpoints.nanos());
    alice.transact(ASK, request, new Payload.Slice(staged, SIZE), () -> {});
    assertThat(work).isNotEmpty();
  }

  @AfterEach
  void close() {
    timer.shutdownNow();
    List.copyOf(sessions.sessionsAfter(0))
        .forEach(session -> sessions.end(session, EndReason.CANCELLED));
  }

  private void doWork() {
    for (Runnable next = work.poll(); next != null; next = work.poll()) {
      next.run();
    }
  }

  private void isAnsweredOnlyOncePayloadIsFree(Class<? extends Throwable> why) {
    assertThat(toldAlice.answersTo(ASK)).isEmpty();
    alice.free(FREE, List.of(staged));
    assertThat(toldAlice.failureOf(FREE)).isInstanceOf(BufferFailure.Busy.class);

    doWork();

    assertThat(toldAlice.failureOf(ASK)).isInstanceOf(why);
    alice.free(FREE_AGAIN, List.of(staged));
    assertThat(toldAlice.answersTo(FREE_AGAIN)).singleElement().isInstanceOf(Event.Accepted.class);
    assertThat(toldBob.events).noneMatch(Event.Delivered.class::isInstance);
    assertThat(endpoints.totals().buildingBuffers()).isZero();
    assertThat(endpoints.totals().deliveredBuffers()).isZero();
  }

  @Test
  void cancel_whilePayloadIsInUse_askerIsToldOnceItIsFree() {
    alice.cancel(CANCEL, ASK);

    assertThat(toldAlice.answersTo(CANCEL)).singleElement().isInstanceOf(Event.Accepted.class);
    isAnsweredOnlyOncePayloadIsFree(TransactionFailure.Cancelled.class);
  }

  @Test
  void receiverEnds_whilePayloadIsInUse_askerIsToldOnceItIsFree() {
    bob.end(new PageFailure.Closed());

    isAnsweredOnlyOncePayloadIsFree(TransactionFailure.TargetDied.class);
  }

  /** The reply's buffer is nobody's then, and its replier is told. */
  @Test
  void cancel_whileTheReplyIsOnItsWay_leavesNoBufferAndTheReplierIsTold() {
    doWork();
    long transaction =
        toldBob.events.stream()
            .filter(Event.Delivered.class::isInstance)
            .map(event -> ((Event.Delivered) event).transaction().id())
            .findFirst()
            .orElseThrow();
    ByteBuffer reply = ByteBuffer.allocate(SIZE);
    bob.reply(REPLY, transaction, new Payload.Bytes(reply), "", () -> {});
    assertThat(work).isNotEmpty();

    alice.cancel(CANCEL, ASK);
    doWork();

    assertThat(toldAlice.failureOf(ASK)).isInstanceOf(TransactionFailure.Cancelled.class);
    assertThat(toldBob.failureOf(REPLY)).isInstanceOf(TransactionFailure.Over.class);
    assertThat(toldAlice.events).noneMatch(Event.Replied.class::isInstance);
    assertThat(endpoints.totals().buildingBuffers()).isZero();
    alice.free(FREE, List.of(staged));
    bob.free(FREE, List.of(0L));
    assertThat(endpoints.totals().deliveredBuffers()).isZero();
  }

  @Test
  void receiversStreamBreaks_whenTheCopyIsDone_askerIsToldAndNothingIsLeft() {
    toldBob.broken = true;
    doWork();
    toldBob.broken = false;

    assertThat(toldAlice.failureOf(ASK)).isInstanceOf(IllegalStateException.class);
    assertThat(endpoints.totals().buildingBuffers()).isZero();
    alice.free(FREE, List.of(staged));
    assertThat(toldAlice.answersTo(FREE)).singleElement().isInstanceOf(Event.Accepted.class);
    assertThat(endpoints.totals().deliveredBuffers()).isZero();
  }
}
