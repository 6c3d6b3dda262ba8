package dev.pagetide.server.page;

import dev.pagetide.shm.PageWord;

/**
 * All pages of a range, one by one, for display. Each page has a word in the notation of {@link
 * PageWord}, as the server believes it.
 *
 * <p>A page without memory is FREE, whatever its word says, and keeps the stamp of its word.
 * AVAILABLE and USED words are as written. A contradiction has state 3. Clients write the stamps,
 * so a stamp may have any value. One snapshot can be taken repeatedly. Confined to one thread.
 */
public final class PageSnapshot {
  /** The word of a page with memory whose own word says 3. It counts as USED. */
  public static final long CONTRADICTION = 3;

  /**
   * The word of a page with memory whose own word says FREE. It counts as FREE. The state in this
   * word is 3, too.
   */
  public static final long FREE_CONTRADICTION = 7;

  private long[] words = new long[0];
  private int pageCount;
  private long takenNanos;
  private long oldestUsedNanos;
  private boolean hasAges;

  /** A snapshot that has no pages yet. */
  public PageSnapshot() {}

  /**
   * Reads a range page by page, as {@link ShrinkablePageRange#look} does, while other threads may
   * flip pages. Takes no lock and waits for no thread.
   *
   * @param ages whether to find out how long pages have been USED, too, and to note which pages are
   *     AVAILABLE. That reads as much memory again
   * @return false if the range is closing; then nothing was read
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

  /** How many pages the snapshot has. */
  public int pageCount() {
    return pageCount;
  }

  /** The word of a page. */
  public long word(int page) {
    return words[page];
  }

  /** When the reading began, by the range's clock. */
  public long takenNanos() {
    return takenNanos;
  }

  /** Whether {@link #oldestUsedNanos} was asked for. */
  public boolean hasAges() {
    return hasAges;
  }

  /** As {@link RangeLook#oldestUsedNanos}; negative if no page's word says USED. */
  public long oldestUsedNanos() {
    return oldestUsedNanos;
  }
}
