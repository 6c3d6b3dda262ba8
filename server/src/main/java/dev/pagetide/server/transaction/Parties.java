package dev.pagetide.server.transaction;

import dev.pagetide.server.page.PageClock;
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

/** All parties of a server: who may transact to whom, and where that is. Thread-safe. */
public final class Parties {
  private final TransactionTerms terms;
  private final PageClock clock;
  private final Executor workers;
  private final Executor soon;
  private final ScheduledExecutorService timer;
  private final TransactionObserver observer;
  private final AtomicLong lastTransaction = new AtomicLong();

  /** By the session's range id. */
  private final ConcurrentHashMap<Long, Seat> seats = new ConcurrentHashMap<>();

  private final ConcurrentHashMap<Address, Party> receivers = new ConcurrentHashMap<>();

  /** How a receiver is known to others. */
  record Address(int uid, String name) {}

  /**
   * No party yet.
   *
   * @param workers threads that may allocate and copy
   * @param soon where events are sent from, after what the calling thread is at
   * @param timer what ends two-way transactions whose time is up
   */
  public Parties(
      TransactionTerms terms,
      PageClock clock,
      Executor workers,
      Executor soon,
      ScheduledExecutorService timer,
      TransactionObserver observer) {
    this.terms = terms;
    this.clock = clock;
    this.workers = workers;
    this.soon = soon;
    this.timer = timer;
    this.observer = observer;
  }

  /**
   * Makes a session a party. Its first event is {@link Event.Attached}. If that fails at any step,
   * the session is no party, and may become one later.
   *
   * @param peer the process at the other end of the stream
   * @param receives whether others may transact to it
   * @throws TransactionFailure if it has a party already, or its range is for no buffers
   * @throws PageFailure.Closed if it is ending
   */
  public Party attach(long command, Session session, Peer peer, boolean receives, Outlet outlet) {
    if (command == 0) {
      throw new TransactionFailure.Invalid("id=0: Attach is answered, so it needs another id");
    }
    Seat seat = seats.computeIfAbsent(session.rangeId(), id -> new Seat(this, session));
    watch(seat);
    if (receives && !seat.hasBuffers()) {
      throw new TransactionFailure.WrongMode("receiving");
    }
    Party party = new Party(this, seat, peer, outlet);
    if (!seat.take(party)) {
      throw new TransactionFailure.AlreadyAttached();
    }
    try {
      welcome(command, party, receives);
    } catch (RuntimeException | Error e) {
      party.end(e);
      throw e;
    }
    return party;
  }

  /** Sees to it that a seat ends with its session; one of which that is not sure is nobody's. */
  private void watch(Seat seat) {
    boolean watched = false;
    try {
      watched = seat.watch(() -> endSeat(seat));
    } finally {
      if (!watched) {
        seats.remove(seat.session().rangeId(), seat);
      }
    }
    if (!watched) {
      throw new PageFailure.Closed();
    }
  }

  private void welcome(long command, Party party, boolean receives) {
    Seat seat = party.seat();
    boolean buffers = seat.hasBuffers();
    party.answer(
        new Event.Attached(
            command,
            buffers ? seat.buffers().delivered() : List.of(),
            buffers ? seat.buffers().totals().oneWayLimitBytes() : 0));
    if (receives) {
      receivers.put(party.address(), party);
    }
    if (seat.isOver()) { // RACE: the session may have ended before the seat had its party
      seat.end(new PageFailure.Closed());
    }
    if (party.hasEnded()) { // RACE: it may have ended before it could be found
      leave(party);
    }
  }

  private void endSeat(Seat seat) {
    try {
      seat.end(new PageFailure.Closed());
    } finally {
      seats.remove(seat.session().rangeId(), seat);
    }
  }

  /** A party leaves: nobody finds it any more. */
  void leave(Party party) {
    receivers.remove(party.address(), party);
  }

  /**
   * The receiver of a transaction.
   *
   * @throws TransactionFailure.NotPermitted whether or not there is one
   * @throws TransactionFailure.TargetDied if there is none
   */
  Party target(Peer sender, Outgoing outgoing) {
    if (!terms.rule().allows(sender.uid(), outgoing.targetUid())) {
      throw new TransactionFailure.NotPermitted(sender.uid(), outgoing.targetUid());
    }
    Party target = receivers.get(new Address(outgoing.targetUid(), outgoing.target()));
    if (target == null) {
      throw new TransactionFailure.TargetDied(outgoing.target());
    }
    return target;
  }

  /** A transaction was refused before it began. */
  void refused(Outgoing outgoing, Throwable why) {
    observer.ended(
        outgoing.oneWay() ? TransactionKind.ONE_WAY : TransactionKind.TWO_WAY,
        why instanceof TransactionFailure.TargetDied
            ? TransactionOutcome.TARGET_DIED
            : TransactionOutcome.FAILED,
        nanos() - outgoing.sinceNanos());
  }

  long nextTransaction() {
    return lastTransaction.incrementAndGet();
  }

  /** How long a transaction's buffer may wait for memory: nine tenths of what is left to it. */
  long allocationWaitNanos(Outgoing outgoing) {
    if (outgoing.oneWay() || outgoing.timeoutMillis() == 0) {
      return terms.allocationWaitNanos();
    }
    long left =
        TimeUnit.MILLISECONDS.toNanos(outgoing.timeoutMillis()) - (nanos() - outgoing.sinceNanos());
    return Math.clamp(left - left / 10, 0, terms.allocationWaitNanos());
  }

  /** The server's clock. */
  public long nanos() {
    return clock.nanos();
  }

  TransactionTerms terms() {
    return terms;
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

  /** The buffers of all ranges, summed; the largest gap is that of the range that is worst off. */
  public BufferTotals totals() {
    BufferTotals sum = BufferTotals.NONE;
    for (Seat seat : seats.values()) {
      if (seat.hasBuffers()) {
        sum = sum.plus(seat.buffers().totals());
      }
    }
    return sum;
  }

  /** How many sessions are attached. */
  public int size() {
    return parties().size();
  }

  private List<Party> parties() {
    List<Party> live = new ArrayList<>();
    for (Seat seat : seats.values()) {
      Party party = seat.party();
      if (party != null) {
        live.add(party);
      }
    }
    return live;
  }

  /** How many sessions have a seat: those that were attached once and have not ended. */
  int seatCount() {
    return seats.size();
  }

  /** Ends every party, each whatever became of the others: the server stops. */
  public void endAll() {
    for (Party party : parties()) {
      boolean done = false;
      try {
        party.end(new TransactionFailure.Stopping());
        done = true;
      } finally {
        if (!done) {
          endAll();
        }
      }
    }
  }
}
