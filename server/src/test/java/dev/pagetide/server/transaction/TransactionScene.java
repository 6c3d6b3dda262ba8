package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.buffer.BufferTotals;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import java.nio.ByteBuffer;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Alice, who asks, and Bob, who receives: two endpoints of a registry whose workers, event loop and
 * timer do something only when a test says so.
 */
final class TransactionScene implements AutoCloseable {
  static final long ATTACH = 1;
  static final int SIZE = 8;
  private static final int TIMEOUT_MILLIS = 60_000;

  private final Peer peer = Peer.unix(1000, 1);
  private final ArrayDeque<Runnable> workers = new ArrayDeque<>();
  private final ArrayDeque<Runnable> soon = new ArrayDeque<>();
  private final List<Runnable> timeouts = new ArrayList<>();
  private final List<TransactionOutcome> outcomes = new ArrayList<>();
  private final Set<Step> failing = EnumSet.noneOf(Step.class);
  private final SessionRegistry sessions = registry();

  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(0) {
        @Override
        public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
          timeouts.add(command);
          return super.schedule(command, 1, TimeUnit.DAYS);
        }
      };

  private final TransactionObserver observer =
      new TransactionObserver() {
        @Override
        public void ended(TransactionKind kind, TransactionOutcome outcome, long nanos) {
          outcomes.add(outcome);
          step(Step.COUNT_END);
        }

        @Override
        public void allocationFailed(Throwable why) {
          step(Step.COUNT_FAILED_ALLOCATION);
        }
      };

  private final EndpointRegistry endpoints =
      new EndpointRegistry(
          new TransactionConfig(16, 16, 0, TransactRule.OWN),
          PageClock.MONOTONIC,
          task -> addAt(Step.FIND_WORKER, workers, task),
          task -> addAt(Step.SEND_SOON, soon, task),
          timer,
          observer);

  final ToldEvents toldAlice = new ToldEvents();
  final ToldEvents toldBob = new ToldEvents();
  final Endpoint alice = attach("alice", false, toldAlice);
  final Endpoint bob = attach("bob", true, toldBob);

  /** What can fail once, when a test says so. */
  enum Step {
    /** The clock by which a command begins to wait for memory. */
    READ_CLOCK,
    FIND_WORKER,
    SEND_SOON,
    COUNT_END,
    COUNT_FAILED_ALLOCATION
  }

  private SessionRegistry registry() {
    PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
    return new SessionRegistry(
        new SessionConfig(10, 10, 1000, 1000),
        new RangeConfig(PageFileMaker.MEMFD, 1 << 20, 1),
        budget,
        new Shrinker(budget, this::readClock, PageObserver.NONE),
        InstantSource.system());
  }

  private long readClock() {
    step(Step.READ_CLOCK);
    return PageClock.MONOTONIC.nanos();
  }

  private void addAt(Step step, ArrayDeque<Runnable> tasks, Runnable task) {
    step(step);
    tasks.add(task);
  }

  private void step(Step step) {
    if (failing.remove(step)) {
      throw new OutOfMemoryError("at " + step + ", as the test says");
    }
  }

  /** Lets the next one of each of these steps fail. */
  void failNext(Step... steps) {
    failing.addAll(List.of(steps));
  }

  /** Whether every step failed that was to fail. */
  boolean allFailed() {
    return failing.isEmpty();
  }

  private Endpoint attach(String name, boolean receives, ToldEvents told) {
    Endpoint endpoint =
        endpoints.attach(
            ATTACH, sessions.open(peer, name, RangeMode.BUFFERS, 1 << 20), peer, receives, told);
    sendEvents();
    told.forget();
    return endpoint;
  }

  TransactRequest request(boolean oneWay) {
    return request(oneWay, SIZE);
  }

  TransactRequest request(boolean oneWay, long size) {
    return new TransactRequest(
        "bob",
        peer.uid(),
        0,
        0,
        oneWay,
        false,
        size,
        oneWay ? 0 : TIMEOUT_MILLIS,
        endpoints.nanos());
  }

  /** Alice sends Bob a one-way transaction, which is delivered; its number. */
  long sendOneWay() {
    alice.transact(0, request(true), payload(), () -> {});
    work();
    sendEvents();
    Event last = toldBob.events().getLast();
    assertThat(last).isInstanceOf(Event.Delivered.class);
    return ((Event.Delivered) last).transaction().id();
  }

  /** Alice asks Bob, and its buffer is not filled before {@link #work}. */
  Transaction ask(long command) {
    alice.transact(command, request(false), payload(), () -> {});
    Transaction asked = alice.asked(command);
    return Objects.requireNonNull(asked);
  }

  static Payload payload() {
    return new Payload.Bytes(ByteBuffer.allocate(SIZE));
  }

  /** A buffer of Bob's that is being built. */
  Buffer buffer() {
    return bob.sessionEndpoint().buffers().reserve(new BufferRequest(SIZE, false, false, 1));
  }

  /** The workers do what waits for them. */
  void work() {
    runAll(workers);
  }

  /** The event loop sends what was to be sent soon. */
  void sendEvents() {
    runAll(soon);
  }

  /** The time of every transaction is up, also of those that have ended. */
  void timeIsUp() {
    timeouts.forEach(Runnable::run);
  }

  private static void runAll(ArrayDeque<Runnable> tasks) {
    for (Runnable next = tasks.poll(); next != null; next = tasks.poll()) {
      next.run();
    }
  }

  /** How transactions have ended. */
  List<TransactionOutcome> outcomes() {
    return List.copyOf(outcomes);
  }

  /** The live buffers of an endpoint's range: how many are being built, and delivered. */
  static String buffers(Endpoint endpoint) {
    BufferTotals totals = endpoint.sessionEndpoint().buffers().totals();
    return totals.buildingBuffers() + "+" + totals.deliveredBuffers();
  }

  @Override
  public void close() {
    timer.shutdownNow();
    endpoints.endAll();
    work();
    sendEvents();
    List.copyOf(sessions.sessionsAfter(0))
        .forEach(session -> sessions.end(session, EndReason.CANCELLED));
  }
}
