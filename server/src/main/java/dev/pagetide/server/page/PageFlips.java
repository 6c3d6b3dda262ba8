package dev.pagetide.server.page;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;

/**
 * The edges AVAILABLE &lt;-&gt; USED of resident pages, taken on the warm path: compare-and-set on
 * page words, and nothing else.
 */
final class PageFlips {
  /**
   * How often a warm path tries one word. Honest words change a few times at most while one looks;
   * past this somebody scribbles, and the slow path decides under the lock.
   */
  static final int MAX_TRIES = 1_000;

  private PageFlips() {}

  /**
   * Whether every page is AVAILABLE or USED, as far as clients are honest. Inside the gate that
   * stays so.
   */
  /*
   * An honest resident page has a FREE word only while some use allocates: so if none did when we
   * came and none began before we had seen the bits, the words need not be looked at. That look
   * costs a twentieth of a use and stop.
   *
   * ORDER: a use says that it allocates before it sets a bit (release), and that it has ended after
   * it wrote the last word; we read its count, then bits (acquire), then its count again.
   */
  static boolean allHeld(PageTable table, ResidentPages pages, int startPage, int endPage) {
    long allocations = pages.allocations();
    if (!pages.areResident(startPage, endPage)) {
      return false;
    }
    boolean quiet = ResidentPages.noneIsUnderWay(allocations) && pages.allocations() == allocations;
    return quiet || table.allHeldAcquire(startPage, endPage);
  }

  /**
   * Makes AVAILABLE pages USED, and counts them. The caller is inside the gate and has found all
   * pages held.
   *
   * @return whether all are USED; if not, somebody scribbles, and the slow path decides
   */
  static boolean toUsed(PageTable words, int startPage, int endPage, ThreadCounts.Cell counts) {
    int flipped = 0;
    boolean allUsed = true;
    long last = PageWord.USED_WORD;
    boolean alike = false;
    for (int page = startPage; page < endPage; page++) {
      // Pages that were stopped by one call have one stamp: after two alike the third is not read
      // before it is tried. A wrong guess costs one failed compare-and-set.
      long word = alike ? last : words.wordAcquire(page);
      if (PageWord.state(word) == PageWord.AVAILABLE
          && words.casWord(page, word, PageWord.USED_WORD)) {
        flipped++;
        alike = word == last;
        last = word;
        continue;
      }
      alike = false;
      if (PageWord.state(word) != PageWord.USED) {
        // RACE: somebody else used or stopped it; whichever, we start again from what is there.
        int again = pageToUsed(words, page);
        flipped += Math.max(0, again);
        allUsed &= again >= 0;
      }
    }
    counts.addReused(flipped);
    return allUsed;
  }

  /** Pages flipped: 1, or 0 if it is USED already; -1 if that cannot be had. */
  private static int pageToUsed(PageTable words, int page) {
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      long word = words.wordAcquire(page);
      int state = PageWord.state(word);
      if (state != PageWord.AVAILABLE) {
        return state == PageWord.USED ? 0 : -1;
      }
      if (words.casWord(page, word, PageWord.USED_WORD)) {
        return 1;
      }
    }
    return -1;
  }

  /** Makes USED pages AVAILABLE, and tells how many there were. */
  static int toAvailable(
      PageTable words, ResidentPages pages, int startPage, int endPage, long available) {
    int flipped = 0;
    for (int page = startPage; page < endPage; ) {
      // RACE: a bit that is set or cleared after this look: that use or reclaim ran at the same
      // time
      // as this call, which may as well have come first.
      long resident = pages.residentAround(page);
      int around = Math.min(endPage, (page | 63) + 1);
      for (; page < around; page++) {
        if ((resident & (1L << page)) != 0 && flipPageToAvailable(words, page, available)) {
          flipped++;
        }
      }
    }
    return flipped;
  }

  /** Starts from the one word an honest USED page has; most often that is what is found. */
  private static boolean flipPageToAvailable(PageTable words, int page, long available) {
    long word = PageWord.USED_WORD;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      long found = words.exchangeWord(page, word, available);
      if (found == word) {
        return true;
      }
      int state = PageWord.state(found);
      // A resident page with a FREE word is in the middle of an allocation: not USED yet.
      if (state == PageWord.AVAILABLE || state == PageWord.FREE) {
        return false;
      }
      word = found;
    }
    return false;
  }
}
