package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;

/**
 * What a page counts as, by its resident bit and its word: FREE without the bit; with it AVAILABLE
 * if the word says so, else USED. The caller is inside an entry.
 */
final class PageStates {
  private PageStates() {}

  static PageState of(PageTable table, ResidentPages pages, int page) {
    if (!pages.isResident(page)) {
      return PageState.FREE;
    }
    return PageWord.state(table.wordAcquire(page)) == PageWord.AVAILABLE
        ? PageState.AVAILABLE
        : PageState.USED;
  }

  static PageState[] of(PageTable table, ResidentPages pages, int startPage, int endPage) {
    PageState[] states = new PageState[endPage - startPage];
    for (int page = startPage; page < endPage; page++) {
      states[page - startPage] = of(table, pages, page);
    }
    return states;
  }

  static PageCounts count(PageTable table, ResidentPages pages) {
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
}
