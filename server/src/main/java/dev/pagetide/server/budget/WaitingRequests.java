package dev.pagetide.server.budget;

import java.util.ArrayList;
import java.util.Collection;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The requests in the queue, by their arrival, and the thread that serves them. */
final class WaitingRequests {
  private final PageClock clock;

  /** By arrival. */
  private final ConcurrentSkipListMap<Long, QueuedRequest> requests = new ConcurrentSkipListMap<>();

  private final AtomicLong arrivals = new AtomicLong();
  private volatile @Nullable Thread server;

  /** No request waits yet, and no thread serves. */
  WaitingRequests(PageClock clock) {
    this.clock = clock;
  }

  /** A place in the queue's order. A request that has to wait more than once keeps it. */
  long arrive() {
    return arrivals.getAndIncrement();
  }

  /** Puts a request into the queue, at the place of its arrival. */
  void add(QueuedRequest queued) {
    requests.put(queued.arrival(), queued);
  }

  /**
   * Takes a request out of the queue. Returns true if that ended its wait; then the caller notifies
   * it.
   */
  boolean leave(QueuedRequest queued, WaitOutcome outcome) {
    boolean ended = queued.tryEnd(outcome, clock.nanos());
    // RACE: a request that was cancelled on its way here ended before it was in the queue. This
    // takes it out now.
    requests.remove(queued.arrival(), queued);
    return ended;
  }

  int size() {
    return requests.size();
  }

  boolean isEmpty() {
    return requests.isEmpty();
  }

  /** The requests that wait, by arrival, while they come and go. */
  Iterable<QueuedRequest> each() {
    return requests.values();
  }

  /** A copy of all requests that wait now, by arrival. */
  Collection<QueuedRequest> all() {
    return new ArrayList<>(requests.values());
  }

  /** Whether a request waits that goes before a newcomer that wants pages. */
  boolean goFirst(FairShare share, PageBudget leaf, long pages) {
    if (requests.isEmpty()) {
      return false;
    }
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
   * Makes the calling thread the one that serves the queue: {@link #signal} wakes it from now on.
   */
  void servedHere() {
    server = Thread.currentThread();
  }

  /** Makes the thread that serves the queue check again. */
  void signal() {
    Thread thread = server;
    if (thread != null) {
      LockSupport.unpark(thread);
    }
  }

  /**
   * Makes the serving thread serve the queue right away, because memory came back without a scan
   * for it.
   */
  void memoryCameBack() {
    if (!requests.isEmpty()) {
      signal();
    }
  }
}
