package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageClock;
import java.util.List;
import java.util.function.Supplier;

/**
 * One scan's way through the candidates of some ranges, the oldest first: takes from a queue, and
 * sweeps when that is empty. Confined to the scan's thread.
 */
/*
 * What a scan leaves of a queue that others use has to be in order for them:
 *   1. Candidates in ranges that turned out to be busy go back to their place when the scan ends.
 *      Meanwhile they are in the scan's hands, as those are that it is punching.
 *   2. A sweep leaves out the ranges that were busy. What it finds is younger than pages of theirs,
 *      which another scan could take by now. So it fills a queue of the scan's own, which is
 *      dropped when the scan ends.
 *   3. Then the queue that others use is cleared, too. It is empty but for what other scans put
 *      back, and that may be younger than what this one skipped and forgets. The next scan, which
 *      has not met a busy range, sweeps it full for many: if it found the skipped candidates
 *      instead, a range that is always busy would make each scan sweep for itself.
 *   4. If something is thrown, the queue is cleared, because candidates have been taken from it and
 *      not dealt with. The next scan sweeps, and finds their pages in the tables.
 */
final class OldestFirst {
  /** No word is above it. */
  static final long ANY_AGE = -1;

  /**
   * How often one scan looks for candidates: once for what is there, once for what others changed
   * under it, once for words stamped in the future.
   */
  private static final int MAX_SWEEPS = 3;

  private final Supplier<List<ShrinkablePageRange>> ranges;
  private final EvictionQueue shared;
  private final int most;
  private final long latestWord;
  private final PageClock clock;
  private final PageObserver observer;

  /** Where candidates are taken from: {@link #shared}, or a queue of this scan's own. */
  private EvictionQueue queue;

  private int looks;
  private int sweeps;
  private boolean onlyLater;
  private boolean full;
  private long reclaimedBefore;

  /**
   * A way that has not begun.
   *
   * @param ranges lists the ranges; asked by each sweep
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
   * Takes pages until the scan has {@code pages}, and tells how often it had to look for
   * candidates.
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

  /** Looks for candidates; false if there is no use in going on. */
  private boolean look(Scan scan) {
    long reclaimed = scan.reclaimed();
    if (full && reclaimed - reclaimedBefore < most / 2) {
      // A full queue gave little: a client that changes its words all the time, or a file that
      // cannot be punched, stands at the head. Look behind it, but not without end.
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
    boolean anyAge = latestWord == ANY_AGE; // else what is stamped in the future is too young
    boolean withLater = anyAge && (onlyLater || sweeps == MAX_SWEEPS - 1);
    reclaimedBefore = reclaimed;
    looks++;
    EvictionQueue.Sweep sweep = queue.sweep(ranges, scan.busyRanges(), most, withLater);
    full = sweep.queued() >= most;
    if (!full) {
      sweeps++; // one that filled the queue has left some behind, and is none of the three
    }
    if (sweep.queued() == 0) {
      if (withLater || !anyAge || sweep.later() == 0) {
        return false;
      }
      onlyLater = true;
    }
    return true;
  }

  /** Whether what is queued, though nothing of it was old enough, shows that nothing else is. */
  private boolean onlyYoungIsLeft() {
    if (queue.size() == 0) {
      return false;
    }
    if (queue.onlyLaterIsLeft()) {
      queue.clear(); // a liar's pages, behind which others may have grown old
      return false;
    }
    return true;
  }
}
