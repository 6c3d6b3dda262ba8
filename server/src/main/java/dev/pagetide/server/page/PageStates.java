package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What a page counts as, by its resident bit and its word: FREE without the bit; with it AVAILABLE
 * if the word says so, else USED.
 */
final class PageStates {
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
    return enterAndWalk(range, null).counts();
  }

  /** Counts, and notes which pages are not USED now. */
  static RangeLook look(ShrinkablePageRange range) {
    return enterAndWalk(range, range.ages());
  }

  private static RangeLook enterAndWalk(ShrinkablePageRange range, @Nullable UsedAges ages) {
    if (!range.entries().tryEnter()) {
      return new RangeLook(new PageCounts(0, 0, 0, 0), OptionalLong.empty());
    }
    try {
      // ORDER: the clock is read before any word, so what is noted is never later than what is
      // seen.
      long now = ages == null ? 0 : range.shrinker().clock().nanos();
      return walk(range.table(), range.pages(), ages, now);
    } finally {
      range.entries().leave();
    }
  }

  private static RangeLook walk(
      PageTable table, ResidentPages pages, @Nullable UsedAges ages, long nowNanos) {
    int free = 0;
    int available = 0;
    int contradictions = 0;
    long oldest = -1;
    int pageCount = table.pageCount();
    for (int page = 0; page < pageCount; page++) {
      if (!pages.isResident(page)) {
        free++;
        continue;
      }
      int state = PageWord.state(table.wordAcquire(page));
      if (state == PageWord.AVAILABLE) {
        available++;
        if (ages != null) {
          ages.seenAvailable(page, nowNanos);
        }
      } else if (state != PageWord.USED) {
        contradictions++; // or its allocation is under way
      } else if (ages != null) {
        oldest = Math.max(oldest, ages.atMostNanos(page, nowNanos));
      }
    }
    return new RangeLook(
        new PageCounts(free, available, pageCount - free - available, contradictions),
        oldest < 0 ? OptionalLong.empty() : OptionalLong.of(oldest));
  }
}
