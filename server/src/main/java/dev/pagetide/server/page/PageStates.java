package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.OptionalLong;

/**
 * What a page counts as, by its resident bit and its word: FREE without the bit; with it AVAILABLE
 * if the word says so, else USED.
 */
final class PageStates {
  private static final PageCounts NONE = new PageCounts(0, 0, 0, 0);

  private PageStates() {}

  /** The caller is inside an entry, as for the next one. */
  static PageState of(PageTable table, ResidentPages pages, int page) {
    if (!pages.isResident(page)) {
      return PageState.FREE;
    }
    return PageWord.state(table.wordAcquire(page)) == PageWord.AVAILABLE
        ? PageState.AVAILABLE
        : PageState.USED;
  }

  /** Of each page of a span. */
  static PageState[] of(PageTable table, ResidentPages pages, int startPage, int endPage) {
    PageState[] states = new PageState[endPage - startPage];
    for (int page = startPage; page < endPage; page++) {
      states[page - startPage] = of(table, pages, page);
    }
    return states;
  }

  /** Counts; a closing range has none. */
  static PageCounts count(ShrinkablePageRange range) {
    if (!range.entries().tryEnter()) {
      return NONE;
    }
    try {
      return count(range.table(), range.pages());
    } finally {
      range.entries().leave();
    }
  }

  private static PageCounts count(PageTable table, ResidentPages pages) {
    int resident = 0;
    int available = 0;
    int contradictions = 0;
    int pageCount = table.pageCount();
    for (int start = 0; start < pageCount; start += Long.SIZE) {
      long bits = pages.residentAround(start);
      if (bits == 0) {
        continue;
      }
      resident += Long.bitCount(bits);
      int end = Math.min(pageCount, start + Long.SIZE);
      long others = bits & ~table.inStateOpaque(PageWord.AVAILABLE, start, end);
      available += Long.bitCount(bits) - Long.bitCount(others);
      if (others != 0) {
        contradictions +=
            contradictions(table, start, others & ~table.inStateOpaque(PageWord.USED, start, end));
      }
    }
    return new PageCounts(pageCount - resident, available, resident - available, contradictions);
  }

  /**
   * How many pages of {@code suspects} say FREE or 3 by a single look: the looks before were two,
   * and an honest client may have made a USED page AVAILABLE between them.
   */
  private static int contradictions(PageTable table, int start, long suspects) {
    int found = 0;
    for (long left = suspects; left != 0; left &= left - 1) {
      int state = PageWord.state(table.wordAcquire(start + Long.numberOfTrailingZeros(left)));
      if (state != PageWord.AVAILABLE && state != PageWord.USED) {
        found++;
      }
    }
    return found;
  }

  /** Counts, and notes which pages are not USED now. */
  static RangeLook look(ShrinkablePageRange range) {
    if (!range.entries().tryEnter()) {
      return new RangeLook(NONE, OptionalLong.empty());
    }
    try {
      // ORDER: the clock is read before any word, so what is noted is never later than what is
      // seen.
      return look(range.table(), range.pages(), range.ages(), range.context().clock().nanos());
    } finally {
      range.entries().leave();
    }
  }

  private static RangeLook look(
      PageTable table, ResidentPages pages, UsedAges ages, long nowNanos) {
    int resident = 0;
    int available = 0;
    int contradictions = 0;
    long oldest = -1;
    int pageCount = table.pageCount();
    for (int start = 0; start < pageCount; start += Long.SIZE) {
      long bits = pages.residentAround(start);
      resident += Long.bitCount(bits);
      for (long left = bits; left != 0; left &= left - 1) {
        int page = start + Long.numberOfTrailingZeros(left);
        int state = PageWord.state(table.wordAcquire(page));
        if (state == PageWord.AVAILABLE) {
          available++;
          ages.seenAvailable(page, nowNanos);
        } else if (state == PageWord.USED) {
          oldest = Math.max(oldest, ages.atMostNanos(page, nowNanos));
        } else {
          contradictions++; // or its allocation is under way
        }
      }
    }
    return new RangeLook(
        new PageCounts(pageCount - resident, available, resident - available, contradictions),
        oldest < 0 ? OptionalLong.empty() : OptionalLong.of(oldest));
  }
}
