package dev.pagetide.server.budget;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Those who wait for memory of the whole server. Memory gathers for the first of them; what it
 * cannot use passes to others.
 *
 * <p>Waiting holds no thread. One thread serves the line ({@link #serveWhile}); a client's stop is
 * a compare-and-set that nobody hears, so while somebody waits the server scans every {@link
 * ScanPause}.
 *
 * <p>Thread-safe.
 */
/*
 * A queued leaves the line by one compare-and-set of its own, so exactly one of granted, refused,
 * cancelled and ended happens to it; memory that was reserved for one who has left meanwhile is
 * given back. In what order they are served, and what passes them, is told in Turns.
 */
public final class AllocationQueue {
  private final BudgetContext context;
  private final Reservations reservations;
  private final WaitingRequests waiting;
  private final Turns turns;
  private final ScanPause pause = new ScanPause();

  /** Whether a client has said that it stopped pages since the last scan. */
  private volatile boolean stopsHeard;

  private long lastScanNanos;
  private long pauseNanos;

  private AllocationQueue(
      BudgetContext context, Reservations reservations, WaitingRequests waiting, Turns turns) {
    this.context = context;
    this.reservations = reservations;
    this.waiting = waiting;
    this.turns = turns;
  }

  /**
   * A line in which nobody stands yet, with the reservations that those who do not stand in it go
   * through.
   *
   * @param reclaimer who makes room
   */
  public static AllocationQueue over(BudgetContext context, Reclaimer reclaimer) {
    WaitingRequests waiting = new WaitingRequests(context.clock());
    OpenPages open = new OpenPages();
    Reservations reservations = new Reservations(context, reclaimer, waiting, open);
    Turns turns = new Turns(waiting, open, reservations, reclaimer);
    return new AllocationQueue(context, reservations, waiting, turns);
  }

  /** The way to memory: nothing is given that was not reserved. */
  public Reservations reservations() {
    return reservations;
  }

  BudgetContext context() {
    return context;
  }

  /** A place in the line's order, kept by a request that has to wait more than once. */
  long arrive() {
    return waiting.arrive();
  }

  /** Stands in line; the queued hears how it ends, once, on another thread or on this one. */
  void join(QueuedRequest queued) {
    waiting.add(queued);
    if (queued.hasEnded()) {
      // RACE: the asker may end before or after this look; either we or endOf() sees it.
      endOne(queued);
    }
    waiting.signal();
  }

  /** Leaves the line, if it stands in it still. */
  boolean cancel(QueuedRequest queued) {
    boolean cancelled = leave(queued, WaitOutcome.CANCELLED);
    if (cancelled) {
      waiting.signal(); // it may have stood in others' way
    }
    return cancelled;
  }

  /** An owner of requests has ended: all its requests that wait now are told so. */
  public void endOf(Object owner) {
    for (QueuedRequest queued : waiting.each()) {
      if (queued.owner().equals(owner)) {
        endOne(queued);
      }
    }
  }

  private void endOne(QueuedRequest queued) {
    if (leave(queued, WaitOutcome.ENDED)) {
      queued.denied(Answer.ENDED);
    }
  }

  /** Takes a queued out of the line; true if its wait ended by that, and it is to be told. */
  boolean leave(QueuedRequest queued, WaitOutcome outcome) {
    return waiting.leave(queued, outcome);
  }

  /** How many wait. */
  public int size() {
    return waiting.size();
  }

  /** Memory came back without a scan for the line: it is served right away. */
  public void memoryCameBack() {
    waiting.memoryCameBack();
  }

  /**
   * A client said that it stopped pages: the pause between two scans ends. Makes no system call.
   */
  public void pagesStopped() {
    if (!waiting.isEmpty() && !stopsHeard) {
      stopsHeard = true;
    }
  }

  /** Serves the line on the calling thread until {@code open} says no and it is {@link #wake}d. */
  public void serveWhile(BooleanSupplier open) {
    waiting.servedHere();
    try {
      while (open.getAsBoolean()) {
        if (waiting.isEmpty()) {
          turns.end();
          LockSupport.park(this);
        } else {
          serveIfDue();
          LockSupport.parkNanos(this, ScanPause.MIN_NANOS);
        }
      }
    } finally {
      turns.end();
    }
  }

  /** Makes {@link #serveWhile} look again. */
  public void wake() {
    waiting.signal();
  }

  /** Serves the line with what is there, and scans if the pause is over or ended. */
  void serveIfDue() {
    long sinceScan = context.clock().nanos() - lastScanNanos;
    boolean heard = stopsHeard && sinceScan >= pause.least();
    serve(heard || sinceScan >= pauseNanos);
  }

  /** One round with a scan for the first in line. */
  void serve() {
    serve(true);
  }

  /** One round: refuses those whose time is up, and gives the others memory as far as it goes. */
  private void serve(boolean mayScan) {
    if (mayScan) {
      stopsHeard = false; // before the scan: what is stopped during it is looked for again
    }
    long start = context.clock().nanos();
    boolean gained = turns.round(waiting.all(), start, mayScan);
    if (mayScan) {
      lastScanNanos = context.clock().nanos();
      pauseNanos = pause.after(gained, lastScanNanos - start);
    }
  }
}
