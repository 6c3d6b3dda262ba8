package dev.pagetide.server.page;

import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.ThreadCounts;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The pages of one range: the word of each page in the table, its resident bit, and the one rule
 * that gives the page's state from the two.
 *
 * <p>Without its bit a page is FREE. With its bit it is in the state that its word says, where 3
 * counts as USED. {@link ShrinkablePageRange} has the table. All methods are lock-free: they only
 * compare-and-set page words. The bits change in {@link ResidentPages}, under the range's lock.
 *
 * <p>The caller is inside an entry, or is ready for the table to be closed during the call.
 */
final class PageMap {
  private static final long UNDER_WAY = 1;
  private static final long BEGUN = 1L << 32;

  private final PageTable table;
  private final ResidentBits bits;
  private final ReclaimGate gate = new ReclaimGate();

  /**
   * Low half: how many calls allocate and how many scans punch now. High half: how many ever did,
   * so that a reader notices one that began and ended in the meantime.
   */
  private final AtomicLong allocations = new AtomicLong();

  PageMap(PageTable table, ResidentBits bits) {
    this.table = table;
    this.bits = bits;
  }

  /**
   * The state that a page counts as. ORDER: reads the bit before the word, because a thread that
   * sees the bit sees its word.
   */
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

  /** The state that each page of a span counts as. */
  PageState[] states(int startPage, int endPage) {
    PageState[] states = new PageState[endPage - startPage];
    for (int page = startPage; page < endPage; page++) {
      states[page - startPage] = state(page);
    }
    return states;
  }

  /** The state that a page counts as, as a word in the notation of {@link PageSnapshot}. */
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

  /** A walk through the states of all pages, 64 at a time. */
  Walk walk() {
    return new Walk();
  }

  /** Counts the pages by state. */
  PageCounts count() {
    Walk walk = walk();
    while (walk.next()) {
      // next() counts.
    }
    return walk.counts();
  }

  /**
   * Counts the pages by state, and notes in {@code ages} which pages are AVAILABLE now.
   *
   * @param nowNanos the time, read before the call, so that no noted time is later than the moment
   *     at which the page was AVAILABLE
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
   * Announces that resident pages may have FREE words until {@link #endAllocation}. A request to
   * use pages calls this before it allocates, because it gives pages their bits first and their
   * words last. A scan calls it before it takes words, because it makes words FREE first and clears
   * their bits last.
   */
  void beginAllocation() {
    allocations.addAndGet(BEGUN + UNDER_WAY);
  }

  void endAllocation() {
    allocations.addAndGet(-UNDER_WAY);
  }

  /** Keeps scans out while a request looks at several pages and makes them USED. */
  ReclaimGate gate() {
    return gate;
  }

  /** Whether no request allocates and no scan punches now. */
  boolean isQuiet() {
    return isQuiet(allocations.get());
  }

  private static boolean isQuiet(long allocations) {
    return (allocations & (BEGUN - 1)) == 0;
  }

  /**
   * Whether every page is AVAILABLE or USED, if clients are honest. Inside the gate that does not
   * change.
   */
  /*
   * If clients are honest, a resident page has a FREE word only while a request allocates (bit
   * first, word last) or a scan punches (word first, bit last). Both announce when they begin and
   * when they have ended. So if none was running before we read the bits, and none began until we
   * had read them, we need not read the words. Reading costs a twentieth of one use and stop.
   *
   * ORDER: a request announces its begin before it sets a bit (release), and its end after it wrote
   * the last word. We read the count, then the bits (acquire), then the count again. A scan
   * announces its begin while the gate is closed, before it takes a word, and its end after it
   * cleared the last bit. We are inside the gate. So either the scan has not closed the gate yet
   * and waits for us to leave, or it has opened the gate again, and then we see that it has begun.
   */
  private boolean allHeld(int startPage, int endPage) {
    long before = allocations.get();
    if (!bits.allSetAcquire(startPage, endPage)) {
      return false;
    }
    boolean quiet = isQuiet(before) && allocations.get() == before;
    return quiet || table.allHeldAcquire(startPage, endPage);
  }

  /** Makes a page USED if it is AVAILABLE, and counts it. Returns whether it is USED now. */
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
   * @return whether all were USED at some moment during the call; if not, a client has written
   *     words that it may not write, and the slow path decides
   */
  /*
   * RACE: a page that we did not take was USED when we came to it, because inside the gate no held
   * page becomes FREE. If it is AVAILABLE now, a stop that ran at the same time came last, which is
   * allowed. If we returned false for that, the caller would take the slow path behind the lock. If
   * the slow path were then refused memory, it could not give back the pages that are flipped here.
   */
  private boolean toUsed(int startPage, int endPage, ThreadCounts.Cell counts) {
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

  /**
   * Makes pages USED if the gate is open and all of them are AVAILABLE or USED.
   *
   * @return whether they are USED; see {@link #toUsed(int, int, ThreadCounts.Cell)}
   */
  boolean toUsedIfAllHeld(int startPage, int endPage, ThreadCounts.Cell counts) {
    try {
      return gate.enter() && allHeld(startPage, endPage) && toUsed(startPage, endPage, counts);
    } finally {
      gate.leave();
    }
  }

  /** As above, for a set of pages: unless all are AVAILABLE or USED, none changes. */
  boolean toUsedIfAllHeld(PageSpans spans, ThreadCounts.Cell counts) {
    try {
      if (!gate.enter()) {
        return false;
      }
      for (int span = 0; span < spans.size(); span++) {
        if (!allHeld(spans.startPage(span), spans.endPage(span))) {
          return false;
        }
      }
      boolean allUsed = true;
      for (int span = 0; span < spans.size(); span++) {
        allUsed &= toUsed(spans.startPage(span), spans.endPage(span), counts);
      }
      return allUsed;
    } finally {
      gate.leave();
    }
  }

  /** Makes resident USED pages AVAILABLE, and returns how many there were. */
  int toAvailable(int startPage, int endPage, long available) {
    PageTable words = table;
    ResidentBits held = bits;
    int stopped = 0;
    int page = startPage;
    while (page < endPage) {
      // RACE: a bit may be set or cleared after this read. Then that allocation or reclaim ran at
      // the same time as this call, and this call counts as the earlier one.
      long resident = held.aroundAcquire(page) >>> page;
      int around = Math.min(endPage, (page | 63) + 1);
      if (resident == 0) {
        page = around;
        continue;
      }
      page += Long.numberOfTrailingZeros(resident);
      resident >>>= Long.numberOfTrailingZeros(resident);
      int runEnd = Math.min(around, page + Long.numberOfTrailingZeros(~resident));
      // A resident page with a FREE word is being allocated and not USED yet, so it stays FREE.
      stopped += PageEdges.toAvailable(words, page, runEnd, available);
      page = runEnd;
    }
    return stopped;
  }

  /**
   * A walk through all pages, 64 at a time: bit n stands for the n-th of them. Each page's state is
   * its state at some moment during the walk. Confined to one thread.
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

    /** Goes to the next 64 pages, or as many as are left. Returns false if none is left. */
    boolean next() {
      if (endPage == table.pageCount()) {
        return false;
      }
      startPage = endPage;
      endPage = Math.min(table.pageCount(), startPage + Long.SIZE);
      available = 0;
      used = 0;
      contradictions = 0;
      // ORDER: reads the bits before the words, as state() does.
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
     * neither state is read once more, and counts as that read says.
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
          case PageWord.FREE -> contradictions |= bit; // or it is being allocated or punched
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

    /** The bits of those that are AVAILABLE. */
    long available() {
      return available;
    }

    /** The bits of those that are USED. */
    long used() {
      return used;
    }

    /** The bits of those that have their resident bit and whose word says FREE or 3. */
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
