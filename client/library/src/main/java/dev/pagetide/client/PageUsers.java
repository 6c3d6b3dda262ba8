package dev.pagetide.client;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * How many scopes of this process use each page of one range: the page is made USED for the first
 * of them and stopped after the last.
 *
 * <p>Any number of threads may call any method at once. No thread takes a lock. A thread that
 * enters a page while the page is being stopped waits for that stop, which is a compare-and-set
 * where the file is mapped and a call where it is not.
 */
/*
 * A page's count is the number of scopes that have entered it and not left, or STOPPING.
 *
 * A scope first counts itself in and then makes the page USED, whether or not other scopes are in.
 * While it is counted, no scope stops the page. The last scope to leave turns 1 into STOPPING,
 * stops the page, and only then lets others in; otherwise its stop could hit a page that another
 * scope has entered and found USED. Whether or not somebody waits for a stop that is a call, its
 * end lets others in. A thread that has set STOPPING waits for no other thread, and a thread that
 * waits holds only counts, so there is no circle.
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
    /**
     * Stops pages {@code [startPage, endPage)}, without waiting.
     *
     * @return null if that is done; else what completes when it is
     */
    @Nullable CompletableFuture<Void> stop(int startPage, int endPage);
  }

  /**
   * Counts one more user of each page. The caller makes them USED now. Waits for stops of other
   * scopes that are under way; if it gives up, no page is counted.
   *
   * @param stop what stops pages that have no other user once this has given up
   * @throws PagetideException DEADLINE_EXCEEDED after {@code timeoutNanos}; CANCELLED, with the
   *     interrupt flag set, if this thread is interrupted
   */
  void enter(int startPage, int endPage, long timeoutNanos, Stop stop) {
    long began = 0;
    int waits = 0;
    for (int page = startPage; page < endPage; page++) {
      int seen = users.get(page);
      while (seen == STOPPING || !users.compareAndSet(page, seen, seen + 1)) {
        if (seen == STOPPING) {
          began = waits == 0 ? System.nanoTime() : began;
          if (waits >= SPINS) {
            checkPatience(startPage, page, System.nanoTime() - began, timeoutNanos, stop);
          }
          await(waits);
          waits++;
        }
        seen = users.get(page);
      }
    }
  }

  /** Throws, with the pages before {@code page} left, if there is a reason to wait no longer. */
  private void checkPatience(
      int startPage, int page, long waitedNanos, long timeoutNanos, Stop stop) {
    boolean interrupted = Thread.currentThread().isInterrupted();
    if (!interrupted && waitedNanos < timeoutNanos) {
      return;
    }
    var _ = leave(startPage, page, stop);
    String stopped = "another scope of this process is closed, and its stop of page " + page;
    throw interrupted
        ? PagetideException.local(
            StatusCode.CANCELLED,
            "interrupted while " + stopped + " is not answered; nothing was used")
        : PagetideException.local(
            StatusCode.DEADLINE_EXCEEDED,
            stopped
                + " was not answered within call_timeout_ms="
                + TimeUnit.NANOSECONDS.toMillis(timeoutNanos)
                + "; nothing was used");
  }

  /**
   * Counts one user less of each page, and stops those that have none left, by runs. Does not wait
   * for the stops. If a stop fails at once, the others are done all the same, and the first failure
   * is thrown in the end.
   *
   * @return null if all stops are done; else what completes when they are
   */
  @Nullable CompletableFuture<Void> leave(int startPage, int endPage, Stop stop) {
    RuntimeException failure = null;
    List<CompletableFuture<Void>> pending = List.of();
    int page = startPage;
    while (page < endPage) {
      int runStart = page;
      while (page < endPage && leavesAsLast(page)) {
        page++;
      }
      try {
        CompletableFuture<Void> stopped = stopRun(runStart, page, stop);
        if (stopped != null) {
          pending = pending.isEmpty() ? new ArrayList<>() : pending;
          pending.add(stopped);
        }
      } catch (RuntimeException e) {
        failure = failure == null ? e : failure;
      }
      page++; // the one that has other users, or the end
    }
    if (failure != null) {
      throw failure;
    }
    return pending.isEmpty()
        ? null
        : CompletableFuture.allOf(pending.toArray(new CompletableFuture<?>[0]));
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

  private @Nullable CompletableFuture<Void> stopRun(int startPage, int endPage, Stop stop) {
    if (startPage >= endPage) {
      return null;
    }
    CompletableFuture<Void> stopped = null;
    try {
      stopped = stop.stop(startPage, endPage);
    } finally {
      if (stopped == null) {
        letIn(startPage, endPage);
      }
    }
    return stopped == null ? null : stopped.whenComplete((_, _) -> letIn(startPage, endPage));
  }

  private void letIn(int startPage, int endPage) {
    for (int page = startPage; page < endPage; page++) {
      users.setRelease(page, 0);
    }
  }

  /** Waits a moment for another thread's stop, longer the more often it was called for it. */
  static void await(int waits) {
    if (waits < SPINS) {
      Thread.onSpinWait();
    } else {
      boolean interrupted = Thread.interrupted(); // else the park would return at once
      LockSupport.parkNanos(PARK_NANOS);
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
