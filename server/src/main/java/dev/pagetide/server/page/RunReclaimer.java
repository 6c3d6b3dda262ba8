package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
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
 */
final class RunReclaimer {
  private final ShrinkablePageRange range;
  private final ResidentPages pages;
  private final PageTable table;
  private final PageClock clock;
  private final ScanTally tally;

  RunReclaimer(ShrinkablePageRange range, ScanTally tally) {
    this.range = range;
    this.pages = range.pages();
    this.table = range.table();
    this.clock = range.shrinker().clock();
    this.tally = tally;
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
      tally.skipped(SkipReason.CLOSING, to - from);
      return 0;
    }
    try {
      int at = from;
      while (at < to) {
        int end = Math.min(to, at + ResidentPages.MAX_PAGES_PER_HOLD);
        if (!tryReclaimUnderOneHold(chosen, words, at, end)) {
          tally.skipped(SkipReason.LOCKED, to - at);
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
    int reclaimed = 0;
    int runs;
    long nanos;
    try {
      if (!range.gate().tryClose()) {
        return false;
      }
      long free = PageWord.free(clock.nanos());
      int taken;
      try {
        taken = takeWords(chosen, words, from, to, free);
      } finally {
        range.gate().open();
      }
      tally.skipped(SkipReason.CHANGED, to - from - taken);
      long start = clock.nanos();
      runs = punchRuns(chosen, words, from, from + taken, free);
      nanos = clock.nanos() - start;
    } finally {
      pages.lock.unlock();
    }
    for (int run = from; run < from + runs; run++) {
      reclaimed += chosen[run];
    }
    range.budget().release(reclaimed);
    if (reclaimed > 0) {
      range.shrinker().observer().punched(reclaimed, nanos);
      for (int run = from; run < from + runs; run++) {
        range.shrinker().observer().punchedRun(chosen[run]);
      }
    }
    range.shrinker().counters().reclaimed(tally.trigger(), reclaimed);
    tally.reclaimed(reclaimed);
    return true;
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
   * Punches pages whose words were made FREE, and tells how many runs of neighbours were had; their
   * lengths take the place of the page numbers, from {@code from} on, with which we are done.
   */
  @GuardedBy("pages.lock")
  private int punchRuns(int[] chosen, long[] words, int from, int to, long free) {
    int runs = 0;
    int at = from;
    while (at < to) {
      int runStart = at;
      int expected = chosen[at];
      while (at < to && chosen[at] == expected) {
        at++;
        expected++;
      }
      try {
        pages.punch(chosen[runStart], expected);
        chosen[from + runs] = at - runStart; // a run has a page at least: never past runStart
        runs++;
      } catch (SystemCallException e) {
        // The memory is still there and so are its bits and its charge; give the words back as they
        // were. We hold the lock, and only its holder takes a page out of FREE.
        for (int i = runStart; i < at; i++) {
          table.casWord(chosen[i], free, words[i]);
        }
        tally.skipped(SkipReason.PUNCH_FAILED, at - runStart);
      }
    }
    return runs;
  }
}
