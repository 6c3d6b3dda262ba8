package dev.pagetide.server.page;

import dev.pagetide.shm.PageWord;

/**
 * All pages of a range, one by one, for whoever shows them: of each page a word in the notation of
 * {@link PageWord}, as the server believes it.
 *
 * <p>A page without memory is FREE, whatever its word says, with the stamp that the word bears;
 * AVAILABLE and USED are as written; a contradiction has state 3. Stamps are the clients' to write:
 * they may say anything. To be taken again and again; for one thread.
 */
public final class PageSnapshot {
  /** The word of a page with memory whose own word says 3: it counts as USED. */
  public static final long CONTRADICTION = 3;

  /**
   * The word of a page with memory whose own word says FREE: it counts as FREE. Its state is 3,
   * too.
   */
  public static final long FREE_CONTRADICTION = 7;

  private long[] words = new long[0];
  private int pageCount;
  private long takenNanos;
  private long oldestUsedNanos;
  private boolean hasAges;

  /** A snapshot of nothing yet. */
  public PageSnapshot() {}

  /**
   * Looks at a range, page by page, while others may flip them, as {@link ShrinkablePageRange#look}
   * does. Takes no lock, waits for nobody.
   *
   * @param ages whether it is asked how long pages have been USED, too, and noted which are not:
   *     that is as much memory again to go through
   * @return false if the range is closing: then there is nothing to see
   */
  public boolean take(ShrinkablePageRange range, boolean ages) {
    if (!range.entries().tryEnter()) {
      return false;
    }
    try {
      pageCount = range.pageCount();
      if (words.length < pageCount) {
        words = new long[pageCount];
      }
      // ORDER: the clock is read before any word: see ShrinkablePageRange.look.
      takenNanos = range.context().clock().nanos();
      hasAges = ages;
      PageMap map = range.map();
      for (int page = 0; page < pageCount; page++) {
        words[page] = map.believedWord(page);
      }
      if (ages) {
        askAges(range.ages());
      }
      return true;
    } finally {
      range.entries().leave();
    }
  }

  private void askAges(UsedAges ages) {
    oldestUsedNanos = -1;
    for (int page = 0; page < pageCount; page++) {
      if (PageWord.state(words[page]) == PageWord.AVAILABLE) {
        ages.seenAvailable(page, takenNanos);
      } else if (words[page] == PageWord.USED_WORD) {
        oldestUsedNanos = Math.max(oldestUsedNanos, ages.atMostNanos(page, takenNanos));
      }
    }
  }

  /** How many pages there are. */
  public int pageCount() {
    return pageCount;
  }

  /** What was seen of a page. */
  public long word(int page) {
    return words[page];
  }

  /** When the look began, by the range's clock. */
  public long takenNanos() {
    return takenNanos;
  }

  /** Whether {@link #oldestUsedNanos} was asked for. */
  public boolean hasAges() {
    return hasAges;
  }

  /** As {@link RangeLook#oldestUsedNanos}; negative where no page's word says USED. */
  public long oldestUsedNanos() {
    return oldestUsedNanos;
  }
}
