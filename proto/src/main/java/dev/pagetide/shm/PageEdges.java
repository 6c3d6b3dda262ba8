package dev.pagetide.shm;

/**
 * The two transitions that server and client both make, for adjacent pages: AVAILABLE to USED, and
 * back. Each is a compare-and-set on page words, without a lock, an allocation or a system call.
 *
 * <p>Any number of threads and processes may do this to the same pages at once.
 */
public final class PageEdges {
  /** The most pages for one call of {@link #toUsed}, because its answer has that many bits. */
  public static final int MAX_PAGES = Long.SIZE;

  /**
   * How often a call tries one word. A word that both sides change correctly changes a few times at
   * most meanwhile. If all tries fail, some process overwrites the table, and the call answers that
   * it did not change the page.
   */
  public static final int MAX_TRIES = 1_000;

  private PageEdges() {}

  /**
   * Makes AVAILABLE pages USED; leaves the others.
   *
   * @param endPage at most {@link #MAX_PAGES} after {@code startPage}
   * @return the pages that were AVAILABLE and that this call made USED: bit {@code i} stands for
   *     page {@code startPage + i}. If these are not all pages, {@link #areUsed} tells whether the
   *     others were USED already.
   */
  public static long toUsed(PageTable words, int startPage, int endPage) {
    long taken = 0;
    long last = PageWord.USED_WORD;
    boolean alike = false;
    for (int page = startPage; page < endPage; page++) {
      // Pages that one call stopped have the same stamp. So after two equal words we try the third
      // without reading it first. A wrong guess costs one failed compare-and-set.
      long word = alike ? last : words.wordAcquire(page);
      if (PageWord.state(word) == PageWord.AVAILABLE
          && (words.casWord(page, word, PageWord.USED_WORD) || pageToUsed(words, page))) {
        taken |= 1L << (page - startPage);
        alike = word == last;
        last = word;
      } else {
        alike = false;
      }
    }
    return taken;
  }

  /** RACE: another thread changed the word after we read it; we start again from the new word. */
  private static boolean pageToUsed(PageTable words, int page) {
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      long word = words.wordAcquire(page);
      if (PageWord.state(word) != PageWord.AVAILABLE) {
        return false;
      }
      if (words.casWord(page, word, PageWord.USED_WORD)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Whether every page is USED, except some that this method does not read.
   *
   * @param but the pages to leave out, as bits like those that {@link #toUsed} returns
   */
  public static boolean areUsed(PageTable words, int startPage, int endPage, long but) {
    for (int page = startPage; page < endPage; page++) {
      boolean looked = (but & (1L << (page - startPage))) == 0;
      if (looked && PageWord.state(words.wordAcquire(page)) != PageWord.USED) {
        return false;
      }
    }
    return true;
  }

  /** Whether every page is USED. */
  public static boolean areUsed(PageTable words, int startPage, int endPage) {
    for (int page = startPage; page < endPage; page++) {
      if (PageWord.state(words.wordAcquire(page)) != PageWord.USED) {
        return false;
      }
    }
    return true;
  }

  /**
   * Makes USED pages AVAILABLE; leaves the others. Never waits, and takes no memory away.
   *
   * @param available the word that they get: made by {@link PageWord#available} from a clock
   *     reading before this call
   * @return how many pages this call made AVAILABLE
   */
  public static int toAvailable(PageTable words, int startPage, int endPage, long available) {
    int stopped = 0;
    for (int page = startPage; page < endPage; page++) {
      if (pageToAvailable(words, page, available)) {
        stopped++;
      }
    }
    return stopped;
  }

  /** Starts from the one word that a USED page should have; most often the page has it. */
  private static boolean pageToAvailable(PageTable words, int page, long available) {
    long word = PageWord.USED_WORD;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      long found = words.exchangeWord(page, word, available);
      if (found == word) {
        return true;
      }
      int state = PageWord.state(found);
      if (state == PageWord.AVAILABLE || state == PageWord.FREE) {
        return false;
      }
      word = found;
    }
    return false;
  }
}
