package dev.pagetide.client;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;

/**
 * How many scopes of this process use each page of one range: the page is made USED for the first
 * of them and stopped after the last.
 *
 * <p>Any number of threads may call any method at once. Nobody takes a lock; who comes to a page
 * while it is being stopped waits for that stop, which is a compare-and-set where the file is
 * mapped and a call where it is not.
 */
/*
 * A page's count is the number of scopes that have entered it and not left, or STOPPING.
 *
 * A scope first counts itself in and then makes the page USED, whether or not other scopes are in.
 * While it is counted, no scope stops the page. The last scope to leave turns 1 into STOPPING,
 * stops the page, and only then lets others in; otherwise its stop could hit a page that another
 * scope has entered and found USED. A thread that has set STOPPING waits for no other thread, and a
 * thread that waits holds only counts, so there is no circle.
 */
final class PageUsers {

  private static final int STOPPING = -1;

  private static final int SPINS = 200;
  private static final long PARK_NANOS = 20_000;

  private final AtomicIntegerArray users;

  PageUsers(int pageCount) {
    this.users = new AtomicIntegerArray(pageCount);
  }

  /** What stops pages that nobody uses any more. */
  interface Stop {
    /** Stops pages {@code [startPage, endPage)}. */
    void stop(int startPage, int endPage);
  }

  /** Counts one more user of each page. The caller makes them USED now. */
  void enter(int startPage, int endPage) {
    for (int page = startPage; page < endPage; page++) {
      int seen = users.get(page);
      for (int waits = 0; ; waits++) {
        if (seen == STOPPING) {
          await(waits);
        } else if (users.compareAndSet(page, seen, seen + 1)) {
          break;
        }
        seen = users.get(page);
      }
    }
  }

  /**
   * Counts one user less of each page, and stops those that have none left, by runs. If a stop
   * fails, the others are done all the same, and the first failure is thrown in the end.
   */
  void leave(int startPage, int endPage, Stop stop) {
    RuntimeException failure = null;
    int page = startPage;
    while (page < endPage) {
      int runStart = page;
      while (page < endPage && leavesAsLast(page)) {
        page++;
      }
      try {
        stopRun(runStart, page, stop);
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
      page++; // the one that has other users, or the end
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Whether the page has no other user; then it is STOPPING now. */
  private boolean leavesAsLast(int page) {
    while (true) {
      int seen = users.get(page);
      if (users.compareAndSet(page, seen, seen == 1 ? STOPPING : seen - 1)) {
        return seen == 1;
      }
    }
  }

  private void stopRun(int startPage, int endPage, Stop stop) {
    if (startPage >= endPage) {
      return;
    }
    try {
      stop.stop(startPage, endPage);
    } finally {
      for (int page = startPage; page < endPage; page++) {
        users.setRelease(page, 0);
      }
    }
  }

  /** Waits a moment for another thread's stop, longer the more often it was called for it. */
  static void await(int waits) {
    if (waits < SPINS) {
      Thread.onSpinWait();
    } else {
      LockSupport.parkNanos(PARK_NANOS);
    }
  }
}
