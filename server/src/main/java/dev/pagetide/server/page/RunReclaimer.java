package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;

/**
 * Does the shrinker's work inside one range: takes chosen pages from AVAILABLE to FREE, with one
 * punch for each run of neighbours.
 *
 * <p>Confined to the thread of one scan.
 */
/*
 * How a page goes from AVAILABLE to FREE, and why no client can be given a page that is about to be
 * emptied. With the range's lock held:
 *   1. a compare-and-set changes the word from exactly the chosen one (state and stamp) to FREE;
 *   2. the page is punched;  3. its bit is cleared;  4. its charge is released.
 * A client that uses a page also starts from exactly the word that it read. So one of the two wins.
 * That holds also if the page went through all states in between, because its stamp would differ.
 * After step 1 only an allocation can take the page out of FREE. An allocation needs the lock,
 * which we hold until the punch has returned.
 *
 * A call that uses several pages must not flip some of them and then find one that is about to be
 * emptied. It might be refused the memory for that page, and could not give the flipped pages back.
 * So step 1 runs with the gate closed. The gate is open during the punches. Between steps 1 and 3 a
 * page has its bit and a FREE word. So beginAllocation, called while the gate is closed, makes such
 * calls read the words. endAllocation ends that, when the bits are clear or the words restored.
 */
final class RunReclaimer {
  private final ShrinkablePageRange range;
  private final PageMap map;
  private final ResidentPages pages;
  private final PageTable table;
  private final PageClock clock;
  private final Scan scan;

  /** Runs of neighbours that were punched since the lock was last taken. */
  private int runs;

  /** Pages that were punched since the lock was last taken. */
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
   * @param words the word by which each page was chosen
   * @return how many of them were dealt with, from {@code from} on. If the range turned out to be
   *     busy or closing, these are fewer than asked, and the rest was counted as skipped
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
    // LOCKS: a scan never queues behind an allocation, and never overtakes one that is queued.
    // tryLock would take the lock although a thread waits for it, and that thread would then wait
    // for as long as we keep coming back.
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
      account(); // also if a run threw: for the runs before it
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
   * Makes the chosen words FREE, opens the gate and punches. Returns how long the punches took.
   *
   * <p>ORDER: beginAllocation is called while the gate is closed, endAllocation once the bits are
   * clear or the words restored. So a call that uses several pages and comes in between reads all
   * words before it flips the first.
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
   * Makes those words FREE that have not changed since they were chosen. Moves their pages to the
   * front of {@code [from, to)}, and returns how many they are.
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
   * Punches pages whose words were made FREE, run by run. From {@code from} on, writes the runs'
   * lengths over those page numbers that are no longer needed.
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
          chosen[from + runs] = length; // each run has a page, so this index is never past `done`
          runs++;
          punched += length;
        } else {
          giveBack(chosen, words, done, end, free);
          scan.skipped(SkipReason.PUNCH_FAILED, length);
        }
        done = end;
      }
    } finally {
      giveBack(chosen, words, done, to, free); // no pages are left, unless a run threw
    }
  }

  @GuardedBy("pages.lock")
  private boolean tryPunch(int startPage, int length) {
    try {
      pages.punch(startPage, startPage + length);
      return true;
    } catch (SystemCallException e) {
      return false; // the pages keep their memory, their bits and their charge
    }
  }

  /**
   * Restores the words from before they were made FREE. We hold the lock, and only the thread that
   * holds it takes a page out of FREE.
   */
  @GuardedBy("pages.lock")
  private void giveBack(int[] chosen, long[] words, int from, int to, long free) {
    for (int i = from; i < to; i++) {
      table.casWord(chosen[i], free, words[i]);
    }
  }
}
