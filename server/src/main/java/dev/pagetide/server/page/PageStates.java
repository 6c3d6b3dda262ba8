package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.OptionalLong;

/**
 * What a page counts as, by its resident bit and its word: FREE without the bit; with it what the
 * word says, where 3 counts as USED.
 */
final class PageStates {
  private static final PageCounts NONE = new PageCounts(0, 0, 0, 0);

  private PageStates() {}

  /** The caller is inside an entry, as for the next one. */
  static PageState of(PageTable table, ResidentPages pages, int page) {
    if (!pages.isResident(page)) {
      return PageState.FREE;
    }
    return switch (PageWord.state(table.wordAcquire(page))) {
      case PageWord.FREE -> PageState.FREE;
      case PageWord.AVAILABLE -> PageState.AVAILABLE;
      default -> PageState.USED;
    };
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
    StateBits states = new StateBits();
    int free = 0;
    int available = 0;
    int used = 0;
    int contradictions = 0;
    for (int start = 0; start < table.pageCount(); start += Long.SIZE) {
      states.look(table, pages, start);
      free += states.freeCount();
      available += Long.bitCount(states.available());
      used += Long.bitCount(states.used());
      contradictions += Long.bitCount(states.contradictions());
    }
    return new PageCounts(free, available, used, contradictions);
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
    int available = 0;
    int used = 0;
    int contradictions = 0;
    long oldest = -1;
    int pageCount = table.pageCount();
    for (int start = 0; start < pageCount; start += Long.SIZE) {
      for (long left = pages.residentAround(start); left != 0; left &= left - 1) {
        int page = start + Long.numberOfTrailingZeros(left);
        switch (PageWord.state(table.wordAcquire(page))) {
          case PageWord.AVAILABLE -> {
            available++;
            ages.seenAvailable(page, nowNanos);
          }
          case PageWord.USED -> {
            used++;
            oldest = Math.max(oldest, ages.atMostNanos(page, nowNanos));
          }
          case PageWord.FREE -> contradictions++; // or its allocation or punch is under way
          default -> {
            used++;
            contradictions++;
          }
        }
      }
    }
    return new RangeLook(
        new PageCounts(pageCount - available - used, available, used, contradictions),
        oldest < 0 ? OptionalLong.empty() : OptionalLong.of(oldest));
  }
}
