package dev.pagetide.shm;

/**
 * The two edges that server and client both take, for neighbouring pages: AVAILABLE to USED, and
 * back. Compare-and-set on page words, and nothing else: no lock, no allocation, no system call.
 *
 * <p>Any number of threads and processes may do this to the same pages at once.
 */
public final class PageEdges {
  /** The most pages that {@link #toUsed} takes in one call: the bits of its answer. */
  public static final int MAX_PAGES = Long.SIZE;

  /**
   * How often one word is tried. Honest words change a few times at most while one looks; past this
   * somebody scribbles, and the caller is told that the page was not had.
   */
  public static final int MAX_TRIES = 1_000;

  private PageEdges() {}

  /**
   * Makes AVAILABLE pages USED; leaves the others.
   *
   * @param endPage at most {@link #MAX_PAGES} after {@code startPage}
   * @return the pages that were AVAILABLE and were made USED by this call: bit {@code i} stands for
   *     page {@code startPage + i}. If that is not all, {@link #areUsed} tells whether the others
   *     were USED already.
   */
  public static long toUsed(PageTable words, int startPage, int endPage) {
    long taken = 0;
    long last = PageWord.USED_WORD;
    boolean alike = false;
    for (int page = startPage; page < endPage; page++) {
      // Pages that were stopped by one call have one stamp: after two alike the third is not read
      // before it is tried. A wrong guess costs one failed compare-and-set.
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

  /** RACE: somebody changed the word since it was read; we start again from what is there. */
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
   * Whether every page is USED, but for some.
   *
   * @param but pages not to look at, as {@link #toUsed} answers
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
   * Makes USED pages AVAILABLE; leaves the others. Never waits, frees nothing.
   *
   * @param available the word they get: the clock read before this call, see {@link
   *     PageWord#available}
   * @return how many there were
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

  /** Starts from the one word an honest USED page has; most often that is what is found. */
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
