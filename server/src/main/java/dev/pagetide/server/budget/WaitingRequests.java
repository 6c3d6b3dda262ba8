package dev.pagetide.server.budget;

import java.util.ArrayList;
import java.util.Collection;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The requests that stand in line, by their arrival, and the thread that serves them. */
final class WaitingRequests {
  private final PageClock clock;

  /** By arrival. */
  private final ConcurrentSkipListMap<Long, QueuedRequest> requests = new ConcurrentSkipListMap<>();

  private final AtomicLong arrivals = new AtomicLong();
  private volatile @Nullable Thread server;

  /** Nobody waits yet, and no thread serves. */
  WaitingRequests(PageClock clock) {
    this.clock = clock;
  }

  /** A place in the line's order, kept by a request that has to wait more than once. */
  long arrive() {
    return arrivals.getAndIncrement();
  }

  /** Stands in line, at the place of its arrival. */
  void add(QueuedRequest queued) {
    requests.put(queued.arrival(), queued);
  }

  /** Takes a queued out of the line; true if its wait ended by that, and it is to be told. */
  boolean leave(QueuedRequest queued, WaitOutcome outcome) {
    boolean ended = queued.tryEnd(outcome, clock.nanos());
    // RACE: one that was cancelled on its way here ended before it stood in line; out it goes now.
    requests.remove(queued.arrival(), queued);
    return ended;
  }

  int size() {
    return requests.size();
  }

  boolean isEmpty() {
    return requests.isEmpty();
  }

  /** Those that wait, by arrival, as they come and go. */
  Iterable<QueuedRequest> each() {
    return requests.values();
  }

  /** A copy of those that wait now, by arrival. */
  Collection<QueuedRequest> all() {
    return new ArrayList<>(requests.values());
  }

  /** Whether some request waits that goes before a newcomer that wants pages. */
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

  /** From now on the calling thread serves the line: it is woken by {@link #signal}. */
  void servedHere() {
    server = Thread.currentThread();
  }

  /** Makes the thread that serves the line look again. */
  void signal() {
    Thread thread = server;
    if (thread != null) {
      LockSupport.unpark(thread);
    }
  }

  /** Memory came back without a scan for the line: it is served right away. */
  void memoryCameBack() {
    if (!requests.isEmpty()) {
      signal();
    }
  }
}
