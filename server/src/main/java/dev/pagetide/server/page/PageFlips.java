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

  /** Whether every page is AVAILABLE or USED. Inside the gate that stays so. */
  static boolean allHeld(PageTable table, ResidentPages pages, int startPage, int endPage) {
    return pages.areResident(startPage, endPage) && table.allHeldAcquire(startPage, endPage);
  }

  /** Makes AVAILABLE pages USED, and tells how many there were. The caller is inside the gate. */
  static int toUsed(PageTable words, int startPage, int endPage) {
    int flipped = 0;
    long last = PageWord.USED_WORD;
    boolean alike = false;
    for (int page = startPage; page < endPage; page++) {
      // Pages that were stopped by one call have one stamp: after two alike the third is not read
      // before it is tried. A wrong guess costs one failed compare-and-set.
      long word = alike ? last : words.wordAcquire(page);
      for (int tries = 0; PageWord.state(word) != PageWord.USED && tries < MAX_TRIES; tries++) {
        long found = words.exchangeWord(page, word, PageWord.USED_WORD);
        if (found == word) {
          flipped++;
          break;
        }
        // RACE: somebody else used or stopped it; whichever, we start again from what we found.
        word = found;
      }
      alike = word == last && word != PageWord.USED_WORD;
      last = word;
    }
    return flipped;
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
