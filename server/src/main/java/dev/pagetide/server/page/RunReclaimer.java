package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;

/**
 * The shrinker's hand inside one range: takes chosen pages from AVAILABLE to FREE, one punch for
 * each run of neighbours.
 *
 * <p>Confined to the thread of one scan.
 */
/*
 * How a page leaves AVAILABLE for FREE, and why nobody can be handed a page that is about to be
 * emptied. With the range's lock held:
 *   1. the word goes from exactly the word that was chosen (state and stamp) to FREE;
 *   2. the page is punched;  3. its bit is cleared;  4. its charge is released.
 * A client's use starts from exactly the word it read, too, so one of the two wins, also when the
 * page went round the circle in between: its stamp would differ. After 1 the only way out of FREE
 * is an allocation, which needs the lock that we hold until the punch has returned.
 *
 * A use of several pages must not flip some of them and then meet one that is about to be emptied:
 * it might be refused the memory for it, and could not give the flipped ones back. So 1 runs with
 * the gate closed. The gate is open during the punches, and between 1 and 3 a page has its bit and
 * a FREE word; so beginAllocation, called while the gate is closed, tells uses to look at the words
 * until endAllocation, called when the bits are clear or the words given back.
 */
final class RunReclaimer {
  private final ShrinkablePageRange range;
  private final PageMap map;
  private final ResidentPages pages;
  private final PageTable table;
  private final PageClock clock;
  private final Scan scan;

  /** Runs of neighbours punched under this hold of the lock. */
  private int runs;

  /** Pages punched under this hold of the lock. */
  private int punched;

  RunReclaimer(ShrinkablePageRange range, Scan scan) {
    this.range = range;
    this.map = range.map();
    this.pages = range.pages();
    this.table = range.table();
    this.clock = range.context().clock();
    this.scan = scan;
  }

  /**
   * Reclaims the chosen pages {@code [from, to)} of two arrays.
   *
   * @param chosen page numbers, strictly ascending
   * @param words the word each page was chosen by
   * @return how many of them were dealt with, from {@code from} on: fewer than asked where the
   *     range turned out to be busy; the rest was counted as skipped
   */
  int reclaim(int[] chosen, long[] words, int from, int to) {
    if (!range.entries().tryEnter()) {
      scan.skipped(SkipReason.CLOSING, to - from);
      return 0;
    }
    try {
      int at = from;
      while (at < to) {
        int end = Math.min(to, at + ResidentPages.MAX_PAGES_PER_HOLD);
        if (!tryReclaimUnderOneHold(chosen, words, at, end)) {
          scan.skipped(SkipReason.LOCKED, to - at);
          break;
        }
        at = end;
      }
      return at - from;
    } finally {
      range.entries().leave();
    }
  }

  private boolean tryReclaimUnderOneHold(int[] chosen, long[] words, int from, int to) {
    // LOCKS: never queue behind an allocation, and never barge past one that is queued: tryLock
    // takes a lock from under a waiter, which would then wait for as long as we keep coming back.
    if (pages.lock.hasQueuedThreads() || !pages.lock.tryLock()) {
      return false;
    }
    long nanos;
    runs = 0;
    punched = 0;
    try {
      if (!range.gate().tryClose()) {
        return false;
      }
      nanos = takeAndPunch(chosen, words, from, to);
    } finally {
      pages.lock.unlock();
      account(); // also for the runs before one at which something was thrown
    }
    if (punched > 0) {
      range.context().observer().punched(punched, nanos);
      for (int run = from; run < from + runs; run++) {
        range.context().observer().punchedRun(chosen[run]);
      }
    }
    return true;
  }

  /**
   * Makes the chosen words FREE, opens the gate and punches; tells how long the punches took.
   *
   * <p>ORDER: beginAllocation is called while the gate is closed, endAllocation once the bits are
   * clear or the words given back: a use of several pages that comes in between looks at all words
   * before it flips the first.
   */
  @GuardedBy("pages.lock")
  private long takeAndPunch(int[] chosen, long[] words, int from, int to) {
    map.beginAllocation();
    try {
      long free = PageWord.free(clock.nanos());
      int taken;
      try {
        taken = takeWords(chosen, words, from, to, free);
      } finally {
        range.gate().open();
      }
      scan.skipped(SkipReason.CHANGED, to - from - taken);
      long start = clock.nanos();
      punchRuns(chosen, words, from, from + taken, free);
      return clock.nanos() - start;
    } finally {
      map.endAllocation();
    }
  }

  private void account() {
    range.budget().release(punched);
    range.context().counters().reclaimed(scan.trigger(), punched);
    scan.reclaimed(punched);
  }

  /**
   * Makes the chosen words FREE where they are still what they were, moving those pages to the
   * front of {@code [from, to)}, and tells how many they are.
   */
  @GuardedBy("pages.lock")
  private int takeWords(int[] chosen, long[] words, int from, int to, long free) {
    int kept = from;
    for (int i = from; i < to; i++) {
      int page = chosen[i];
      if (pages.isResident(page) && table.casWord(page, words[i], free)) {
        chosen[kept] = page;
        words[kept] = words[i];
        kept++;
      }
    }
    return kept - from;
  }

  /**
   * Punches pages whose words were made FREE, run by run. The runs' lengths take the place of the
   * page numbers, from {@code from} on, with which we are done.
   */
  @GuardedBy("pages.lock")
  private void punchRuns(int[] chosen, long[] words, int from, int to, long free) {
    int done = from;
    try {
      while (done < to) {
        int end = done + 1;
        while (end < to && chosen[end] == chosen[end - 1] + 1) {
          end++;
        }
        int length = end - done;
        if (tryPunch(chosen[done], length)) {
          chosen[from + runs] = length; // a run has a page at least: never past what is done
          runs++;
          punched += length;
        } else {
          giveBack(chosen, words, done, end, free);
          scan.skipped(SkipReason.PUNCH_FAILED, length);
        }
        done = end;
      }
    } finally {
      giveBack(chosen, words, done, to, free); // none, unless something was thrown
    }
  }

  @GuardedBy("pages.lock")
  private boolean tryPunch(int startPage, int length) {
    try {
      pages.punch(startPage, startPage + length);
      return true;
    } catch (SystemCallException e) {
      return false; // the memory is still there, and so are its bits and its charge
    }
  }

  /**
   * Makes words again what they were before they were made FREE. We hold the lock, and only its
   * holder takes a page out of FREE.
   */
  @GuardedBy("pages.lock")
  private void giveBack(int[] chosen, long[] words, int from, int to, long free) {
    for (int i = from; i < to; i++) {
      table.casWord(chosen[i], free, words[i]);
    }
  }
}
