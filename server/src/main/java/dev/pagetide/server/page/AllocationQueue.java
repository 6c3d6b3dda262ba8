package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.Collection;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

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
  private final Shrinker shrinker;
  private final Turns turns;

  /** By arrival. */
  private final ConcurrentSkipListMap<Long, QueuedRequest> requests = new ConcurrentSkipListMap<>();

  private final AtomicLong arrivals = new AtomicLong();
  private final ScanPause pause = new ScanPause();
  private volatile @Nullable Thread server;

  /** Whether a client has said that it stopped pages since the last scan. */
  private volatile boolean stopsHeard;

  private long lastScanNanos;
  private long pauseNanos;

  AllocationQueue(Shrinker shrinker, Reservations reservations) {
    this.shrinker = shrinker;
    this.turns = new Turns(this, shrinker, reservations);
  }

  /** A place in the line's order, kept by a request that has to wait more than once. */
  long arrive() {
    return arrivals.getAndIncrement();
  }

  /** Stands in line; the queued hears how it ends, once, on another thread or on this one. */
  void join(QueuedRequest queued) {
    requests.put(queued.arrival(), queued);
    ShrinkablePageRange range = queued.range();
    if (range != null && range.isClosed()) {
      // RACE: the range has ended before or after it looked for its requests; one of us finds it.
      endOne(queued);
    }
    signal();
  }

  /** Leaves the line, if it stands in it still. */
  boolean cancel(QueuedRequest queued) {
    boolean cancelled = leave(queued, WaitOutcome.CANCELLED);
    if (cancelled) {
      signal(); // it may have stood in others' way
    }
    return cancelled;
  }

  /** A range has ended: those who wait for pages of it are told so. */
  void end(ShrinkablePageRange range) {
    for (QueuedRequest queued : requests.values()) {
      if (queued.range() == range) {
        endOne(queued);
      }
    }
  }

  private void endOne(QueuedRequest queued) {
    PageFailure ended = new PageFailure.Closed(); // before it leaves: once it has, it must be told
    if (leave(queued, WaitOutcome.ENDED)) {
      queued.refused(ended);
    }
  }

  /** Takes a queued out of the line; true if its wait ended by that, and it is to be told. */
  boolean leave(QueuedRequest queued, WaitOutcome outcome) {
    boolean ended = queued.tryEnd(outcome, shrinker.clock().nanos());
    // RACE: one that was cancelled on its way here ended before it stood in line; out it goes now.
    requests.remove(queued.arrival(), queued);
    return ended;
  }

  /** How many wait. */
  public int size() {
    return requests.size();
  }

  /** Whether somebody waits who goes before a newcomer that wants pages. */
  boolean goesFirst(PageBudget leaf, long pages) {
    if (requests.isEmpty()) {
      return false;
    }
    FairShare share = shrinker.fairShare();
    if (!share.covers(leaf, pages)) {
      return true;
    }
    for (QueuedRequest queued : requests.values()) {
      if (share.covers(queued.leaf(), queued.missing())) {
        return true;
      }
    }
    return false;
  }

  /**
   * Whether one who does not go first may have so many pages, if they are free; then they are its
   * own, until {@link #passed} or {@link #passedNot}.
   */
  boolean tryPass(long pages) {
    return turns.tryPass(pages);
  }

  /** They are charged. */
  void passed(long pages) {
    turns.passed(pages);
  }

  /** They were not free. */
  void passedNot(long pages) {
    turns.passedNot(pages);
  }

  /** Memory came back without a scan for the line: it is served right away. */
  void memoryCameBack() {
    if (!requests.isEmpty()) {
      signal();
    }
  }

  /**
   * A client said that it stopped pages: the pause between two scans ends. Makes no system call.
   */
  public void pagesStopped() {
    if (!requests.isEmpty() && !stopsHeard) {
      stopsHeard = true;
    }
  }

  private void signal() {
    Thread thread = server;
    if (thread != null) {
      LockSupport.unpark(thread);
    }
  }

  /** Serves the line on the calling thread until {@code open} says no and it is {@link #wake}d. */
  public void serveWhile(BooleanSupplier open) {
    server = Thread.currentThread();
    try {
      while (open.getAsBoolean()) {
        if (requests.isEmpty()) {
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
    signal();
  }

  /** Serves the line with what is there, and scans if the pause is over or ended. */
  void serveIfDue() {
    long sinceScan = shrinker.clock().nanos() - lastScanNanos;
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
    long start = shrinker.clock().nanos();
    boolean gained = turns.round(waiting(), start, mayScan);
    if (mayScan) {
      lastScanNanos = shrinker.clock().nanos();
      pauseNanos = pause.after(gained, lastScanNanos - start);
    }
  }

  private Collection<QueuedRequest> waiting() {
    return new ArrayList<>(requests.values());
  }
}
