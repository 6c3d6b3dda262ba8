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
    for (int around = 0; around < pageCount; around += Long.SIZE) {
      // ORDER: bits before words, so that a page counts as what it was when it had its memory.
      long bits = pages.residentAround(around);
      resident += Long.bitCount(bits);
      while (bits != 0) {
        int state = PageWord.state(table.wordAcquire(around + Long.numberOfTrailingZeros(bits)));
        bits &= bits - 1;
        if (state == PageWord.AVAILABLE) {
          available++;
        } else if (state != PageWord.USED) {
          contradictions++;
        }
      }
    }
    return new PageCounts(pageCount - resident, available, resident - available, contradictions);
  }
}
