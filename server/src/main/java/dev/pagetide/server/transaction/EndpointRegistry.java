package dev.pagetide.server.transaction;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.buffer.BufferTotals;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * All endpoints of a server: who may transact to whom, and which endpoint a name stands for.
 * Thread-safe.
 */
public final class EndpointRegistry {
  private final TransactionConfig config;
  private final PageClock clock;
  private final Executor workers;
  private final Executor soon;
  private final ScheduledExecutorService timer;
  private final TransactionObserver observer;
  private final AtomicLong lastTransaction = new AtomicLong();

  /** By the session's range id. */
  private final ConcurrentHashMap<Long, SessionEndpoint> sessionEndpoints =
      new ConcurrentHashMap<>();

  private final ConcurrentHashMap<Address, Endpoint> receivers = new ConcurrentHashMap<>();

  /** The name and user under which others find a receiver. */
  record Address(int uid, String name) {}

  /**
   * A registry without endpoints.
   *
   * @param workers threads that may allocate and copy
   * @param soon runs the sending of events: on an event loop's thread, after the current batch of
   *     reads
   * @param timer ends two-way transactions whose time is up
   */
  public EndpointRegistry(
      TransactionConfig config,
      PageClock clock,
      Executor workers,
      Executor soon,
      ScheduledExecutorService timer,
      TransactionObserver observer) {
    this.config = config;
    this.clock = clock;
    this.workers = workers;
    this.soon = soon;
    this.timer = timer;
    this.observer = observer;
  }

  /**
   * Makes a session an endpoint. Its first event is {@link Event.Attached}. If any step fails, the
   * session is no endpoint, and may become one later.
   *
   * @param peer the process at the other end of the stream
   * @param receives whether others may transact to it
   * @throws TransactionFailure if the session has an endpoint already, or its range is not for
   *     buffers
   * @throws PageFailure.Closed if the session is ending
   */
  public Endpoint attach(
      long command, Session session, Peer peer, boolean receives, EventSink sink) {
    if (command == 0) {
      throw new TransactionFailure.Invalid("id=0: Attach is answered, so it needs another id");
    }
    SessionEndpoint sessionEndpoint =
        sessionEndpoints.computeIfAbsent(
            session.rangeId(), id -> new SessionEndpoint(this, session));
    watch(sessionEndpoint);
    if (receives && !sessionEndpoint.hasBuffers()) {
      throw new TransactionFailure.WrongMode("receiving");
    }
    Endpoint endpoint = new Endpoint(this, sessionEndpoint, peer, sink);
    if (!sessionEndpoint.take(endpoint)) {
      throw new TransactionFailure.AlreadyAttached();
    }
    try {
      welcome(command, endpoint, receives);
    } catch (RuntimeException | Error e) {
      endpoint.end(e);
      throw e;
    }
    return endpoint;
  }

  /**
   * Makes the session's end end its endpoint, too. If that is not possible, removes what the
   * registry holds of the session.
   */
  private void watch(SessionEndpoint sessionEndpoint) {
    boolean watched = false;
    try {
      watched = sessionEndpoint.watch(() -> endSessionEndpoint(sessionEndpoint));
    } finally {
      if (!watched) {
        sessionEndpoints.remove(sessionEndpoint.session().rangeId(), sessionEndpoint);
      }
    }
    if (!watched) {
      throw new PageFailure.Closed();
    }
  }

  private void welcome(long command, Endpoint endpoint, boolean receives) {
    SessionEndpoint sessionEndpoint = endpoint.sessionEndpoint();
    boolean buffers = sessionEndpoint.hasBuffers();
    endpoint.answer(
        new Event.Attached(
            command,
            buffers ? sessionEndpoint.buffers().delivered() : List.of(),
            buffers ? sessionEndpoint.buffers().totals().oneWayLimitBytes() : 0));
    if (receives) {
      receivers.put(endpoint.address(), endpoint);
    }
    if (sessionEndpoint.isOver()) { // RACE: the session may have ended before it had an endpoint
      sessionEndpoint.end(new PageFailure.Closed());
    }
    if (endpoint.hasEnded()) { // RACE: the endpoint may have ended before others could find it
      leave(endpoint);
    }
  }

  private void endSessionEndpoint(SessionEndpoint sessionEndpoint) {
    try {
      sessionEndpoint.end(new PageFailure.Closed());
    } finally {
      sessionEndpoints.remove(sessionEndpoint.session().rangeId(), sessionEndpoint);
    }
  }

  /** Removes an endpoint that has ended, so that nobody finds it any more. */
  void leave(Endpoint endpoint) {
    receivers.remove(endpoint.address(), endpoint);
  }

  /**
   * The receiver of a transaction.
   *
   * @throws TransactionFailure.NotPermitted if the rule forbids it, whether or not the receiver
   *     exists
   * @throws TransactionFailure.TargetDied if it does not exist
   */
  Endpoint target(Peer sender, TransactRequest request) {
    if (!config.rule().allows(sender.uid(), request.targetUid())) {
      throw new TransactionFailure.NotPermitted(sender.uid(), request.targetUid());
    }
    Endpoint target = receivers.get(new Address(request.targetUid(), request.target()));
    if (target == null) {
      throw new TransactionFailure.TargetDied(request.target());
    }
    return target;
  }

  /** Counts a transaction that was refused before it began. */
  void refused(TransactRequest request, Throwable why) {
    observer.ended(
        request.kind(),
        why instanceof TransactionFailure.TargetDied
            ? TransactionOutcome.TARGET_DIED
            : TransactionOutcome.FAILED,
        nanos() - request.sinceNanos());
  }

  long nextTransaction() {
    return lastTransaction.incrementAndGet();
  }

  /**
   * How long a transaction's buffer may wait for memory: nine tenths of the time that is left to
   * the transaction, and at most the configured wait.
   */
  long allocationWaitNanos(TransactRequest request) {
    if (request.oneWay() || request.timeoutMillis() == 0) {
      return config.allocationWaitNanos();
    }
    long left =
        TimeUnit.MILLISECONDS.toNanos(request.timeoutMillis()) - (nanos() - request.sinceNanos());
    return Math.clamp(left - left / 10, 0, config.allocationWaitNanos());
  }

  /** The server's clock. */
  public long nanos() {
    return clock.nanos();
  }

  TransactionConfig config() {
    return config;
  }

  Executor workers() {
    return workers;
  }

  Executor soon() {
    return soon;
  }

  ScheduledExecutorService timer() {
    return timer;
  }

  TransactionObserver observer() {
    return observer;
  }

  /**
   * The sums over the buffers of all ranges; the largest gap is that of the range with the least.
   */
  public BufferTotals totals() {
    BufferTotals sum = BufferTotals.NONE;
    for (SessionEndpoint sessionEndpoint : sessionEndpoints.values()) {
      if (sessionEndpoint.hasBuffers()) {
        sum = sum.plus(sessionEndpoint.buffers().totals());
      }
    }
    return sum;
  }

  /** The number of sessions that are attached. */
  public int size() {
    return endpoints().size();
  }

  private List<Endpoint> endpoints() {
    List<Endpoint> live = new ArrayList<>();
    for (SessionEndpoint sessionEndpoint : sessionEndpoints.values()) {
      Endpoint endpoint = sessionEndpoint.endpoint();
      if (endpoint != null) {
        live.add(endpoint);
      }
    }
    return live;
  }

  /** The number of sessions that were attached at least once and have not ended. */
  int sessionCount() {
    return sessionEndpoints.size();
  }

  /** Ends every endpoint, even if ending others throws, because the server stops. */
  public void endAll() {
    for (Endpoint endpoint : endpoints()) {
      boolean done = false;
      try {
        endpoint.end(new TransactionFailure.Stopping());
        done = true;
      } finally {
        if (!done) {
          endAll();
        }
      }
    }
  }
}
