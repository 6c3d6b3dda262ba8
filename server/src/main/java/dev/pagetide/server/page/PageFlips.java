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
   * An honest resident page has a FREE word only while a use allocates (bit first, word last) or a
   * scan punches (word first, bit last). Both say when they begin and when they have ended. So if
   * none was under way before we read the bits, and none began until we had read them, the words
   * need not be looked at. Looking at them costs a twentieth of a use and stop.
   *
   * ORDER: a use says that it begins before it sets a bit (release), and that it has ended after it
   * wrote the last word; we read the count, then the bits (acquire), then the count again. A scan
   * says that it begins while the gate is closed, before it takes a word, and that it has ended
   * after it cleared the last bit. We are inside the gate: either the scan has not closed it yet
   * and waits for us to leave, or it has opened it again, and then we see that it has begun.
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
   * @return whether all were USED at some moment of the call; if not, somebody scribbles, and the
   *     slow path decides
   */
  /*
   * RACE: a page that we did not take was USED when we came to it, because inside the gate no held
   * page becomes FREE. If it is AVAILABLE now, a stop that ran at the same time came last, which is
   * its right. To answer false for that would send the use behind the lock, with pages flipped that
   * it could not give back if it were refused there.
   */
  static boolean toUsed(PageTable words, int startPage, int endPage, ThreadCounts.Cell counts) {
    boolean allUsed = true;
    int reused = 0;
    for (int page = startPage; page < endPage; page += PageEdges.MAX_PAGES) {
      int end = Math.min(endPage, page + PageEdges.MAX_PAGES);
      long taken = PageEdges.toUsed(words, page, end);
      int count = Long.bitCount(taken);
      reused += count;
      allUsed &= count == end - page || words.allHeldAcquire(page, end);
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
