package dev.pagetide.server.page;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.ThreadCounts;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The pages of one range: the word of each in the table, its resident bit, and the one rule that
 * says what the two make of the page.
 *
 * <p>Without its bit a page is FREE. With its bit it is what its word says, where 3 counts as USED;
 * {@link ShrinkablePageRange} has the table. All here is lock-free: compare-and-set on page words,
 * and nothing else. The bits change in {@link ResidentPages}, under the range's lock.
 *
 * <p>The caller is inside an entry, or is ready for the table to be closed under it.
 */
final class PageMap {
  private static final long UNDER_WAY = 1;
  private static final long BEGUN = 1L << 32;

  private final PageTable table;
  private final ResidentBits bits;

  /**
   * Low half: uses that allocate and scans that punch now. High half: how many ever did, so that a
   * reader sees that one came and went.
   */
  private final AtomicLong allocations = new AtomicLong();

  PageMap(PageTable table, ResidentBits bits) {
    this.table = table;
    this.bits = bits;
  }

  /** What a page counts as. ORDER: the bit before the word: who sees the bit sees its word. */
  PageState state(int page) {
    if (!bits.getAcquire(page)) {
      return PageState.FREE;
    }
    return switch (PageWord.state(table.wordAcquire(page))) {
      case PageWord.FREE -> PageState.FREE;
      case PageWord.AVAILABLE -> PageState.AVAILABLE;
      default -> PageState.USED;
    };
  }

  /** What each page of a span counts as. */
  PageState[] states(int startPage, int endPage) {
    PageState[] states = new PageState[endPage - startPage];
    for (int page = startPage; page < endPage; page++) {
      states[page - startPage] = state(page);
    }
    return states;
  }

  /** The same as a word, as {@link PageSnapshot} has it. */
  long believedWord(int page) {
    boolean resident = bits.getAcquire(page);
    long word = table.wordAcquire(page);
    if (!resident) {
      return PageWord.free(PageWord.stampNanos(word));
    }
    return switch (PageWord.state(word)) {
      case PageWord.FREE -> PageSnapshot.FREE_CONTRADICTION;
      case PageWord.AVAILABLE -> word;
      case PageWord.USED -> PageWord.USED_WORD;
      default -> PageSnapshot.CONTRADICTION;
    };
  }

  /** The states of all pages, 64 at a time. */
  Walk walk() {
    return new Walk();
  }

  /** Counts. */
  PageCounts count() {
    Walk walk = walk();
    while (walk.next()) {
      // It counts.
    }
    return walk.counts();
  }

  /**
   * Counts, and notes which pages are not USED now.
   *
   * @param nowNanos read before the call, so that what is noted is never later than what is seen
   */
  RangeLook look(UsedAges ages, long nowNanos) {
    Walk walk = walk();
    long oldest = -1;
    while (walk.next()) {
      for (long left = walk.available(); left != 0; left &= left - 1) {
        ages.seenAvailable(walk.startPage() + Long.numberOfTrailingZeros(left), nowNanos);
      }
      for (long left = walk.used() & ~walk.contradictions(); left != 0; left &= left - 1) {
        int page = walk.startPage() + Long.numberOfTrailingZeros(left);
        oldest = Math.max(oldest, ages.atMostNanos(page, nowNanos));
      }
    }
    return new RangeLook(
        walk.counts(), oldest < 0 ? OptionalLong.empty() : OptionalLong.of(oldest));
  }

  /**
   * Says that resident pages may have FREE words until {@link #endAllocation}. A use calls this
   * before it allocates, because it gives pages their bits first and their words last. A scan calls
   * it before it takes words, because it makes words FREE first and clears their bits last.
   */
  void beginAllocation() {
    allocations.addAndGet(BEGUN + UNDER_WAY);
  }

  void endAllocation() {
    allocations.addAndGet(-UNDER_WAY);
  }

  /** Whether no use allocates and no scan punches now. */
  boolean isQuiet() {
    return isQuiet(allocations.get());
  }

  private static boolean isQuiet(long allocations) {
    return (allocations & (BEGUN - 1)) == 0;
  }

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
  boolean allHeld(int startPage, int endPage) {
    long before = allocations.get();
    if (!bits.allSetAcquire(startPage, endPage)) {
      return false;
    }
    boolean quiet = isQuiet(before) && allocations.get() == before;
    return quiet || table.allHeldAcquire(startPage, endPage);
  }

  /** Makes a page USED if it is AVAILABLE, and counts it; tells whether it is USED now. */
  boolean toUsed(int page, ThreadCounts.Cell counts) {
    for (int tries = 0; tries < PageEdges.MAX_TRIES; tries++) {
      if (!bits.getAcquire(page)) {
        return false;
      }
      long word = table.wordAcquire(page);
      int state = PageWord.state(word);
      if (state == PageWord.USED) {
        return true;
      }
      if (state != PageWord.AVAILABLE) {
        return false;
      }
      if (table.casWord(page, word, PageWord.USED_WORD)) {
        counts.addReused(1);
        return true;
      }
    }
    return false;
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
  boolean toUsed(int startPage, int endPage, ThreadCounts.Cell counts) {
    PageTable words = table;
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
  int toAvailable(int startPage, int endPage, long available) {
    PageTable words = table;
    ResidentBits held = bits;
    int stopped = 0;
    int page = startPage;
    while (page < endPage) {
      // RACE: a bit that is set or cleared after this look: that use or reclaim ran at the same
      // time as this call, which may as well have come first.
      long resident = held.aroundAcquire(page) >>> page;
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

  /**
   * A walk through all pages, 64 at a time: bit n stands for the n-th of them. Each page's state is
   * its state at some moment during the walk. For one thread.
   */
  final class Walk {
    private int startPage;
    private int endPage;
    private long available;
    private long used;
    private long contradictions;

    private int allAvailable;
    private int allUsed;
    private int allContradictions;

    private Walk() {}

    /** Goes to the next 64 pages, or as many as are left; false if there is none. */
    boolean next() {
      if (endPage == table.pageCount()) {
        return false;
      }
      startPage = endPage;
      endPage = Math.min(table.pageCount(), startPage + Long.SIZE);
      available = 0;
      used = 0;
      contradictions = 0;
      // ORDER: the bits before the words, as in state().
      long resident = bits.aroundAcquire(startPage);
      if (resident != 0) {
        read(resident);
        allAvailable += Long.bitCount(available);
        allUsed += Long.bitCount(used);
        allContradictions += Long.bitCount(contradictions);
      }
      return true;
    }

    /*
     * RACE: a word may change between the two passes over the words. So a page that was found in
     * neither state is read once more, and counts as what that one read says.
     */
    private void read(long resident) {
      available = resident & table.inStateOpaque(PageWord.AVAILABLE, startPage, endPage);
      long others = resident & ~available;
      if (others == 0) {
        return;
      }
      used = others & table.inStateOpaque(PageWord.USED, startPage, endPage);
      for (long left = others & ~used; left != 0; left &= left - 1) {
        long bit = Long.lowestOneBit(left);
        int page = startPage + Long.numberOfTrailingZeros(bit);
        switch (PageWord.state(table.wordAcquire(page))) {
          case PageWord.FREE -> contradictions |= bit; // or its allocation or punch is under way
          case PageWord.AVAILABLE -> available |= bit;
          case PageWord.USED -> used |= bit;
          default -> {
            used |= bit;
            contradictions |= bit;
          }
        }
      }
    }

    /** The first of the 64 pages. */
    int startPage() {
      return startPage;
    }

    /** One past the last of them. */
    int endPage() {
      return endPage;
    }

    /** Those that are AVAILABLE. */
    long available() {
      return available;
    }

    /** Those that are USED. */
    long used() {
      return used;
    }

    /** Those with their bit whose word says FREE or 3. */
    long contradictions() {
      return contradictions;
    }

    /** How many of all pages so far are in each state. */
    PageCounts counts() {
      return new PageCounts(
          endPage - allAvailable - allUsed, allAvailable, allUsed, allContradictions);
    }
  }
}
