package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageClock;
import java.util.List;
import java.util.function.Supplier;

/**
 * Takes one scan's candidates from some ranges, the oldest first: from a queue, and with a sweep
 * when the queue is empty. Confined to the scan's thread.
 */
/*
 * How a scan leaves a queue in order for the other scans that use it:
 *
 * - Candidates in ranges that turned out to be busy go back to their place when the scan ends.
 *   Until then the scan holds them, as it holds those that it is punching.
 * - A sweep leaves out the ranges that were busy. What it finds is younger than pages of those
 *   ranges, which another scan could take by now. So such a sweep fills a queue of the scan's own,
 *   which is dropped when the scan ends.
 * - In that case the queue that others use is cleared, too. It has only candidates that other scans
 *   put back, and those may be younger than the candidates that this scan skipped and forgets. The
 *   next scan, which has not met a busy range, sweeps and fills it for many scans. If that scan
 *   found the skipped candidates instead, a range that is always busy would make each scan sweep
 *   for itself.
 * - If an exception is thrown, the queue is cleared, because candidates have been taken from it and
 *   not dealt with. The next scan sweeps, and finds their pages in the tables.
 */
final class OldestFirst {
  /** No word is above it. */
  static final long ANY_AGE = -1;

  /**
   * How often one scan looks for candidates: once for what is there, once for what other threads
   * changed meanwhile, once for words stamped in the future.
   */
  private static final int MAX_SWEEPS = 3;

  private final Supplier<List<ShrinkablePageRange>> ranges;
  private final EvictionQueue shared;
  private final int most;
  private final long latestWord;
  private final PageClock clock;
  private final PageObserver observer;

  /** The queue from which candidates are taken: {@link #shared}, or a queue of this scan's own. */
  private EvictionQueue queue;

  private int looks;
  private int sweeps;
  private boolean onlyLater;
  private boolean full;
  private long reclaimedBefore;

  /**
   * A search that has not begun.
   *
   * @param ranges lists the ranges; each sweep calls it
   * @param shared a queue of their candidates
   * @param most how many candidates a sweep is to queue
   * @param latestWord no page with a word above this is taken
   */
  OldestFirst(
      Supplier<List<ShrinkablePageRange>> ranges,
      EvictionQueue shared,
      int most,
      long latestWord,
      PageClock clock,
      PageObserver observer) {
    this.ranges = ranges;
    this.shared = shared;
    this.queue = shared;
    this.most = most;
    this.latestWord = latestWord;
    this.clock = clock;
    this.observer = observer;
  }

  /**
   * Takes pages until the scan has {@code pages}. Returns how often it had to look for candidates.
   */
  int take(long pages, Scan scan) {
    boolean inOrder = false;
    try {
      while (scan.reclaimed() < pages) {
        if (!scan.takeFrom(queue, pages - scan.reclaimed(), latestWord)
            && ((latestWord != ANY_AGE && onlyYoungIsLeft()) || !look(scan))) {
          break;
        }
      }
      if (queue == shared) {
        scan.putBackSkipped(shared);
      } else {
        scan.forgetSkipped();
      }
      inOrder = true;
    } finally {
      if (!inOrder) {
        shared.clear();
      }
    }
    return looks;
  }

  /** Looks for candidates; false if it is useless to go on. */
  private boolean look(Scan scan) {
    long reclaimed = scan.reclaimed();
    if (full && reclaimed - reclaimedBefore < most / 2) {
      // A full queue gave little, because its head has pages of a client that changes its words all
      // the time, or of a file that cannot be punched. We look behind them, but not without end.
      scan.leaveOutStubborn();
      sweeps++;
    }
    if (sweeps >= MAX_SWEEPS) {
      return false;
    }
    if (queue == shared && !scan.busyRanges().isEmpty()) {
      scan.forgetSkipped();
      shared.clear();
      queue = new EvictionQueue(clock, observer);
    }
    boolean anyAge = latestWord == ANY_AGE; // otherwise a stamp in the future is too young
    boolean withLater = anyAge && (onlyLater || sweeps == MAX_SWEEPS - 1);
    reclaimedBefore = reclaimed;
    looks++;
    EvictionQueue.Sweep sweep = queue.sweep(ranges, scan.busyRanges(), most, withLater);
    full = sweep.queued() >= most;
    if (!full) {
      // a sweep that filled the queue has left candidates behind, so it is none of the three
      sweeps++;
    }
    if (sweep.queued() == 0) {
      if (withLater || !anyAge || sweep.later() == 0) {
        return false;
      }
      onlyLater = true;
    }
    return true;
  }

  /**
   * Whether no page at all is old enough. No queued page was; this returns whether that proves the
   * same of the others.
   */
  private boolean onlyYoungIsLeft() {
    if (queue.size() == 0) {
      return false;
    }
    if (queue.onlyLaterIsLeft()) {
      queue.clear(); // pages with false stamps; behind them, other pages may have become old enough
      return false;
    }
    return true;
  }
}
