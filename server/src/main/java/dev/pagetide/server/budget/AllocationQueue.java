package dev.pagetide.server.budget;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The queue of requests that wait for memory of the whole server. Memory gathers for the first
 * request; memory that the first cannot use passes to others.
 *
 * <p>A waiting request holds no thread. One thread serves the queue ({@link #serveWhile}). A client
 * stops pages by a compare-and-set that the server does not notice; so while a request waits, the
 * server scans again after every {@link ScanPause}.
 *
 * <p>Thread-safe.
 */
/*
 * A request leaves the queue by one compare-and-set of its own. So exactly one of granted, refused,
 * cancelled and ended happens to it. If memory was reserved for a request that has left meanwhile,
 * it is given back. Turns says in what order requests are served, and which may pass others.
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
   * An empty queue, with the reservations for requests that are not in it.
   *
   * @param reclaimer makes room
   */
  public static AllocationQueue over(BudgetContext context, Reclaimer reclaimer) {
    WaitingRequests waiting = new WaitingRequests(context.clock());
    OpenPages open = new OpenPages();
    Reservations reservations = new Reservations(context, reclaimer, waiting, open);
    Turns turns = new Turns(waiting, open, reservations, reclaimer);
    return new AllocationQueue(context, reservations, waiting, turns);
  }

  /**
   * The reservations, which come before all memory: the server gives no page that was not reserved.
   */
  public Reservations reservations() {
    return reservations;
  }

  BudgetContext context() {
    return context;
  }

  /** A place in the queue's order. A request that has to wait more than once keeps it. */
  long arrive() {
    return waiting.arrive();
  }

  /**
   * Puts a request into the queue. The request is notified once how its wait ends, on another
   * thread or on this one.
   */
  void join(QueuedRequest queued) {
    waiting.add(queued);
    if (queued.hasEnded()) {
      // RACE: the asker may have ended just before, and its endOf() may have run before this
      // request was in the queue. Either that call or this one finds the request.
      endOne(queued);
    }
    waiting.signal();
  }

  /** Takes a request out of the queue; false if it is not in it any more. */
  boolean cancel(QueuedRequest queued) {
    boolean cancelled = leave(queued, WaitOutcome.CANCELLED);
    if (cancelled) {
      waiting.signal(); // the request may have kept others from being served
    }
    return cancelled;
  }

  /**
   * Ends the wait of all requests of one owner. To be called after the owner has ended.
   *
   * @param owner as it was given to {@link QueuePlace}
   */
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

  /**
   * Takes a request out of the queue. Returns true if that ended its wait; then the caller notifies
   * it.
   */
  boolean leave(QueuedRequest queued, WaitOutcome outcome) {
    return waiting.leave(queued, outcome);
  }

  /** The number of requests that wait. */
  public int size() {
    return waiting.size();
  }

  /** Serves the queue right away, because memory came back without a scan for the queue. */
  public void memoryCameBack() {
    waiting.memoryCameBack();
  }

  /**
   * Ends the pause between two scans, because a client said that it stopped pages. Makes no system
   * call.
   */
  public void pagesStopped() {
    if (!waiting.isEmpty() && !stopsHeard) {
      stopsHeard = true;
    }
  }

  /**
   * Serves the queue on the calling thread until {@code open} returns false. The thread then has to
   * be woken by {@link #wake}.
   */
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

  /** Makes {@link #serveWhile} check again. */
  public void wake() {
    waiting.signal();
  }

  /** Serves the queue with the memory that is free, and scans if the pause is over or was ended. */
  void serveIfDue() {
    long sinceScan = context.clock().nanos() - lastScanNanos;
    boolean heard = stopsHeard && sinceScan >= pause.least();
    serve(heard || sinceScan >= pauseNanos);
  }

  /** Runs one round with a scan for the first request in the queue. */
  void serve() {
    serve(true);
  }

  /**
   * Runs one round: refuses requests whose time is up, and gives the others memory as far as it
   * goes.
   */
  private void serve(boolean mayScan) {
    if (mayScan) {
      stopsHeard = false; // before the scan, so that pages stopped during it lead to another scan
    }
    long start = context.clock().nanos();
    boolean gained = turns.round(waiting.all(), start, mayScan);
    if (mayScan) {
      lastScanNanos = context.clock().nanos();
      pauseNanos = pause.after(gained, lastScanNanos - start);
    }
  }
}
