package dev.pagetide.server.page;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.ThreadCounts;

/**
 * The edges AVAILABLE &lt;-&gt; USED of resident pages, taken on the warm path: compare-and-set on
 * page words, and nothing else.
 */
final class PageFlips {
  private PageFlips() {}

  /**
   * Whether every page is AVAILABLE or USED, as far as clients are honest. Inside the gate that
   * stays so.
   */
  /*
   * An honest resident page has a FREE word only while some use allocates: so if none did when we
   * came and none began before we had seen the bits, the words need not be looked at. That look
   * costs a twentieth of a use and stop.
   *
   * ORDER: a use says that it allocates before it sets a bit (release), and that it has ended after
   * it wrote the last word; we read its count, then bits (acquire), then its count again.
   */
  static boolean allHeld(PageTable table, ResidentPages pages, int startPage, int endPage) {
    long allocations = pages.allocations();
    if (!pages.areResident(startPage, endPage)) {
      return false;
    }
    boolean quiet = ResidentPages.noneIsUnderWay(allocations) && pages.allocations() == allocations;
    return quiet || table.allHeldAcquire(startPage, endPage);
  }

  /**
   * Makes AVAILABLE pages USED, and counts them. The caller is inside the gate and has found all
   * pages held.
   *
   * @return whether all are USED; if not, somebody scribbles, and the slow path decides
   */
  static boolean toUsed(PageTable words, int startPage, int endPage, ThreadCounts.Cell counts) {
    boolean allUsed = true;
    int reused = 0;
    for (int page = startPage; page < endPage; page += PageEdges.MAX_PAGES) {
      int end = Math.min(endPage, page + PageEdges.MAX_PAGES);
      long taken = PageEdges.toUsed(words, page, end);
      int count = Long.bitCount(taken);
      reused += count;
      allUsed &= count == end - page || PageEdges.areUsed(words, page, end, taken);
    }
    counts.addReused(reused);
    return allUsed;
  }

  /** Makes resident USED pages AVAILABLE, and tells how many there were. */
  static int toAvailable(
      PageTable words, ResidentPages pages, int startPage, int endPage, long available) {
    int stopped = 0;
    int page = startPage;
    while (page < endPage) {
      // RACE: a bit that is set or cleared after this look: that use or reclaim ran at the same
      // time as this call, which may as well have come first.
      long resident = pages.residentAround(page) >>> page;
      int around = Math.min(endPage, (page | 63) + 1);
      if (resident == 0) {
        page = around;
        continue;
      }
      page += Long.numberOfTrailingZeros(resident);
      resident >>>= Long.numberOfTrailingZeros(resident);
      int runEnd = Math.min(around, page + Long.numberOfTrailingZeros(~resident));
      // A resident page with a FREE word is in the middle of an allocation: not USED yet.
      stopped += PageEdges.toAvailable(words, page, runEnd, available);
      page = runEnd;
    }
    return stopped;
  }
}
