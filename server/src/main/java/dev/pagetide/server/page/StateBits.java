package dev.pagetide.server.page;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;

/**
 * Which of 64 adjacent pages are in which state: bit n stands for the n-th of them. Each page's
 * state is its state at some moment during the look. To be looked with again and again; for one
 * thread.
 */
final class StateBits {
  private int pageCount;
  private long available;
  private long used;
  private long contradictions;

  /** Looks at the pages from {@code start}, a multiple of 64, to the end of the table at most. */
  /*
   * ORDER: the bits before the words, so a thread that sees a page's bit sees its word.
   *
   * RACE: a word may change between the two walks, which is why a page that neither walk found in
   * its state is looked at once more, and counts as what that single look says.
   */
  void look(PageTable table, ResidentPages pages, int start) {
    int end = Math.min(table.pageCount(), start + Long.SIZE);
    pageCount = end - start;
    available = 0;
    used = 0;
    contradictions = 0;
    long resident = pages.residentAround(start);
    if (resident == 0) {
      return;
    }
    available = resident & table.inStateOpaque(PageWord.AVAILABLE, start, end);
    long others = resident & ~available;
    if (others == 0) {
      return;
    }
    used = others & table.inStateOpaque(PageWord.USED, start, end);
    for (long left = others & ~used; left != 0; left &= left - 1) {
      long bit = Long.lowestOneBit(left);
      lookAgain(PageWord.state(table.wordAcquire(start + Long.numberOfTrailingZeros(bit))), bit);
    }
  }

  private void lookAgain(int state, long bit) {
    if (state == PageWord.AVAILABLE) {
      available |= bit;
      return;
    }
    if (state != PageWord.FREE) {
      used |= bit;
    }
    if (state != PageWord.USED) {
      contradictions |= bit;
    }
  }

  /** How many pages there are: fewer than 64 at the end of a table. */
  int pageCount() {
    return pageCount;
  }

  /** The pages that count as AVAILABLE. */
  long available() {
    return available;
  }

  /** The pages that count as USED. */
  long used() {
    return used;
  }

  /** The pages with their resident bit whose word says FREE or 3. */
  long contradictions() {
    return contradictions;
  }

  /** How many pages count as FREE. */
  int freeCount() {
    return pageCount - Long.bitCount(available) - Long.bitCount(used);
  }
}
