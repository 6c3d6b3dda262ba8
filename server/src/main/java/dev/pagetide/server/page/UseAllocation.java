package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.NoMemoryDetails;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.Reservations;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * One call to use pages that has to allocate. It takes memory first and changes words last.
 *
 * <ol>
 *   <li>It reserves budget for the absent pages, holding no lock. That may reclaim pages.
 *   <li>Under the lock, run by run, it gives absent pages memory and sets their bits. Their words
 *       stay FREE.
 *   <li>Under the lock, once every page of the call has its bit, it makes every word USED. If a
 *       page was reclaimed in the meantime, the call begins another round at the first step.
 * </ol>
 *
 * <p>If the first or the second step fails, no word has changed, and the call punches the pages
 * that it allocated. Confined to one thread.
 */
/*
 * Why it ends: a page that this call allocated keeps a FREE word until the third step, and the
 * shrinker takes AVAILABLE pages only. So each round leaves fewer pages that can be reclaimed
 * before the third step, and a round in which none is reclaimed is the last. Two things can undo
 * that. A second call may use and stop the same page, and a scan may then reclaim it, all between
 * our second step and our third. Or a client writes AVAILABLE, again and again, where it may not.
 * So the number of rounds is bounded, and the bound leaves room for second calls.
 *
 * What a second call for the same pages does in the meantime: in its own third step it may find a
 * page with its bit set and its word FREE, and make it USED. Then that page belongs to the second
 * call, too. So if this call fails, it gives back only pages whose word is still FREE.
 */
final class UseAllocation {
  /** The rounds beyond one per page: more than second calls for the same pages can cost. */
  private static final int SPARE_ROUNDS = 1_000;

  private final PageMap map;
  private final ResidentPages pages;
  private final PageTable table;
  private final UsedAges ages;
  private final PageBudget budget;
  private final PageContext context;
  private final PageCounters counters;
  private final PageClock clock;
  private final PageSpans spans;
  private final ShrinkablePageRange range;
  private final Reservations reservations;
  private final boolean mayWait;

  /** The pages to which this call gave memory. */
  private final BitSet given = new BitSet();

  private long reserved;

  /** For how many pages the call has to wait. */
  private long missingPages;

  /** Whether the file had more memory than the server gave. */
  private boolean sawStrays;

  /** Whether the kernel refused memory before. */
  private boolean kernelRefused;

  /** How many times a page got memory and kept it. At the end, counted as allocated. */
  private int allocated;

  /**
   * A call that has not begun.
   *
   * @param reserved the number of pages already reserved for this call, which gives them memory or
   *     gives the reservation back
   * @param mayWait whether {@link #run} may answer that the call has to wait for memory
   */
  UseAllocation(ShrinkablePageRange range, PageSpans spans, long reserved, boolean mayWait) {
    this.reserved = reserved;
    this.mayWait = mayWait;
    this.range = range;
    this.map = range.map();
    this.pages = range.pages();
    this.table = range.table();
    this.ages = range.ages();
    this.budget = range.budget();
    this.context = range.context();
    this.counters = context.counters();
    this.clock = context.clock();
    this.reservations = range.shrinker().reservations();
    this.spans = spans;
  }

  /**
   * Makes every page USED, or fails at once if there is no memory.
   *
   * @return the pages that had no memory
   * @throws PageFailure as {@link #run}
   */
  static PageSpans withoutWaiting(ShrinkablePageRange range, PageSpans spans) {
    PageSpans fresh = new UseAllocation(range, spans, 0, false).run();
    if (fresh == null) {
      throw new AssertionError("run with mayWait=false returned null");
    }
    return fresh;
  }

  /**
   * Makes every page USED.
   *
   * @return the pages that had no memory; null if the call has to wait for {@link #missingPages},
   *     and then no word has changed
   * @throws PageFailure if there is no memory for all of them, or the range is closing; then no
   *     word has changed
   */
  @Nullable PageSpans run() {
    try {
      context.hugePages().refresh(); // here, where no lock is held
      range.entries().enter();
      try {
        return runInside();
      } finally {
        range.entries().leave();
      }
    } finally {
      giveBackReserve();
    }
  }

  private @Nullable PageSpans runInside() {
    boolean done = false;
    map.beginAllocation();
    try {
      int rounds = spans.pageCount() + SPARE_ROUNDS;
      while (rounds-- > 0) {
        int absent = countAbsent();
        if (absent > 0) {
          switch (reserve(absent)) {
            case COUNT_AGAIN -> {
              continue;
            }
            case WAIT -> {
              missingPages = (long) absent + given.cardinality(); // because takeBack() takes these
              return null;
            }
            case DONE -> {}
          }
          if (!allocateAbsent()) {
            continue;
          }
          giveBackReserve();
        }
        PageSpans fresh = tryMakeUsed();
        if (fresh != null) {
          done = true;
          return fresh;
        }
      }
      throw new PageFailure.TableCorrupt();
    } catch (SystemCallException e) {
      throw context.kernelRefused(spans.pageCount(), e);
    } finally {
      if (!done) {
        takeBack();
      }
      map.endAllocation();
      counters.allocated(allocated);
      if (sawStrays) {
        var _ = new StrayAudit(range).goOn(StrayAudit.FEW_HOLDS); // among the other pages
      }
    }
  }

  /** How many pages need memory, as counted when the call had to wait. */
  long missingPages() {
    return missingPages;
  }

  private enum Reserved {
    DONE,
    /** Another call gave memory to some of the pages in the meantime. */
    COUNT_AGAIN,
    WAIT
  }

  /** Reserves budget for those absent pages for which none is reserved yet. */
  private Reserved reserve(int absent) {
    long more = absent - reserved;
    if (more <= 0) {
      return Reserved.DONE;
    }
    Answer answer = reservations.tryReserve(budget, more, mayWait);
    if (answer instanceof Answer.Granted) {
      reserved += more;
      return Reserved.DONE;
    }
    if (countAbsent() < absent) {
      return Reserved.COUNT_AGAIN;
    }
    if (answer instanceof Answer.Refused(NoMemoryDetails why)) {
      throw new PageFailure.NoMemory(why);
    }
    return Reserved.WAIT;
  }

  private int countAbsent() {
    int absent = 0;
    for (int span = 0; span < spans.size(); span++) {
      for (int page = spans.startPage(span); page < spans.endPage(span); page++) {
        if (!pages.isResident(page)) {
          absent++;
        }
      }
    }
    return absent;
  }

  /** Gives back the reservation of pages that got no memory. */
  private void giveBackReserve() {
    if (reserved > 0) {
      reservations.giveBack(budget, reserved);
      reserved = 0;
    }
  }

  /**
   * Allocates absent pages.
   *
   * @return false if the kernel refused, and may not refuse again, because strays were taken since;
   *     this happens at most once
   * @throws SystemCallException if the kernel refused
   */
  private boolean allocateAbsent() throws SystemCallException {
    try {
      tryAllocateAbsent();
      return true;
    } catch (SystemCallException e) {
      boolean again = !kernelRefused && e.limitRemedy().isEmpty();
      kernelRefused = true;
      if (again && range.shrinker().takesStrays()) {
        return false;
      }
      throw e;
    }
  }

  private void tryAllocateAbsent() throws SystemCallException {
    for (int span = 0; span < spans.size() && reserved > 0; span++) {
      int page = spans.startPage(span);
      while (page < spans.endPage(span) && reserved > 0) {
        boolean sawThemBefore = sawStrays;
        page = allocateUnderOneHold(page, spans.endPage(span));
        if (sawStrays && !sawThemBefore) {
          context.hugePages().refreshNow(); // because it decides whether the host gave them
        }
      }
    }
  }

  /**
   * Allocates absent pages from {@code page} on, and returns the first page that it did not check.
   * Under the hold of the lock that first sees strays it allocates nothing.
   */
  private int allocateUnderOneHold(int page, int endPage) throws SystemCallException {
    int left = (int) Math.min(reserved, ResidentPages.MAX_PAGES_PER_HOLD);
    int gave = 0;
    long nanos;
    long waited;
    long queued = clock.nanos();
    pages.lock.lock();
    try {
      long start = clock.nanos();
      waited = start - queued;
      while (page < endPage && left > 0) {
        if (pages.isResident(page)) {
          page++;
          continue;
        }
        int runStart = page;
        while (page < endPage && page - runStart < left && !pages.isResident(page)) {
          page++;
        }
        if (gave == 0 && !sawStrays && pages.excess() > 0) {
          sawStrays = true;
          page = runStart;
          break;
        }
        pages.allocate(runStart, page, sawStrays);
        given.set(runStart, page);
        allocated += page - runStart;
        reserved -= page - runStart;
        left -= page - runStart;
        gave += page - runStart;
      }
      nanos = clock.nanos() - start;
    } finally {
      pages.lock.unlock();
      reservations.given(gave); // also if the kernel refused a later run
    }
    if (gave > 0) {
      context.observer().lockWaited(waited);
      context.observer().allocated(gave, nanos);
    }
    return page;
  }

  /** The third step. Returns null if a page was reclaimed since the absent pages were counted. */
  private @Nullable PageSpans tryMakeUsed() {
    pages.lock.lock();
    try {
      if (countAbsent() > 0) {
        return null;
      }
      PageSpans.Builder fresh = new PageSpans.Builder(table.pageCount());
      int reused = 0;
      long now = clock.nanos();
      for (int span = 0; span < spans.size(); span++) {
        int freshStart = spans.startPage(span);
        for (int page = spans.startPage(span); page < spans.endPage(span); page++) {
          long word = makeUsed(page);
          int before = PageWord.state(word);
          if (before != PageWord.USED) {
            ages.becomesUsed(page, now);
          }
          if (before == PageWord.AVAILABLE) {
            reused++;
          } else if (before == PageWord.FREE && PageWord.stampNanos(word) > 0) {
            counters.refaulted(now - PageWord.stampNanos(word));
          }
          if (before != PageWord.FREE && !given.get(page)) {
            fresh.add(freshStart, page);
            freshStart = page + 1;
          }
        }
        fresh.add(freshStart, spans.endPage(span));
      }
      counters.own().addReused(reused);
      return fresh.build();
    } finally {
      pages.lock.unlock();
    }
  }

  /** Makes a resident page USED, and returns the word that it had. */
  @GuardedBy("pages.lock")
  private long makeUsed(int page) {
    while (true) {
      long word = table.wordAcquire(page);
      int state = PageWord.state(word);
      // We hold the lock, so the word cannot become FREE. A client may flip it; then we try again.
      if (state == PageWord.USED || table.casWord(page, word, PageWord.USED_WORD)) {
        return word;
      }
    }
  }

  /** Undoes the second step for every page that no other call has used since. */
  private void takeBack() {
    int start = given.nextSetBit(0);
    while (start >= 0) {
      int end = Math.min(given.nextClearBit(start), start + ResidentPages.MAX_PAGES_PER_HOLD);
      takeBack(start, end);
      start = given.nextSetBit(end);
    }
  }

  private void takeBack(int startPage, int endPage) {
    int released = 0;
    pages.lock.lock();
    try {
      int page = startPage;
      while (page < endPage) {
        if (!isStillOurs(page)) {
          page++;
          continue;
        }
        int runStart = page;
        while (page < endPage && isStillOurs(page)) {
          page++;
        }
        if (tryPunch(runStart, page)) {
          released += page - runStart;
        }
      }
    } finally {
      pages.lock.unlock();
    }
    reservations.taken(budget, released);
    allocated -= released;
  }

  @GuardedBy("pages.lock")
  private boolean isStillOurs(int page) {
    return pages.isResident(page) && PageWord.state(table.wordAcquire(page)) == PageWord.FREE;
  }

  @GuardedBy("pages.lock")
  private boolean tryPunch(int startPage, int endPage) {
    try {
      pages.punch(startPage, endPage);
      return true;
    } catch (SystemCallException e) {
      // The pages keep their memory and their charge. We make them AVAILABLE, so that a later scan
      // tries again.
      long available = PageWord.available(clock.nanos());
      for (int page = startPage; page < endPage; page++) {
        long word = table.wordAcquire(page);
        if (PageWord.state(word) == PageWord.FREE) {
          table.casWord(page, word, available);
        }
      }
      return false;
    }
  }
}
