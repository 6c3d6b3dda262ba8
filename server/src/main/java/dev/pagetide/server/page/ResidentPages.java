package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which pages of one range have memory, and the lock under which that changes.
 *
 * <p>The server believes these bits, and not the words in the shared table. A bit changes only
 * together with a successful allocate or punch, with the lock held.
 */
@SuppressWarnings("NonAtomicVolatileUpdate") // only the lock's holder writes
final class ResidentPages {
  /**
   * The range's lock. LOCKS: a thread holds it across one system call at a time, for at most {@link
   * #MAX_PAGES_PER_HOLD} pages under one hold. That thread takes no other lock, waits for no other
   * thread and calls no other component.
   */
  final ReentrantLock lock = new ReentrantLock();

  /** The most pages given or taken under one hold of the lock. They take a quarter of a ms. */
  static final int MAX_PAGES_PER_HOLD = 256;

  /**
   * The most bits that the search for strays reads under one hold of the lock. They take some
   * microseconds, however large the range is.
   */
  private static final int MAX_LOOKED_AT_PER_HOLD = 64 * MAX_PAGES_PER_HOLD;

  /** How long a thread on which others wait waits for the lock: for many holds. */
  private static final long BRIEF_MILLIS = 10;

  private final PageFile file;
  private final PageCounters counters;
  private final HugePages hugePages;
  private final ResidentBits bits;
  private final int pageCount;
  private final int bookkeepingPages;

  // RACE: written under the lock only, so no update is lost; any thread may read at any time.
  private final AtomicInteger count = new AtomicInteger();
  private volatile int highWatermark;
  private volatile long strays;

  /** Whether the lock was not to be had in a moment when it was last asked for in that way. */
  private volatile boolean heldForLong;

  /**
   * The page at which the next search for strays begins, so that searches that were cut short go
   * through all pages in turn.
   */
  @GuardedBy("lock")
  private int nextLook;

  /**
   * The pages of a file, none of which is resident.
   *
   * @param bits all clear; only this object changes them
   */
  ResidentPages(PageFile file, ResidentBits bits, PageCounters counters, HugePages hugePages) {
    this.file = file;
    this.hugePages = hugePages;
    this.counters = counters;
    this.pageCount = file.layout().pageCount();
    this.bookkeepingPages = file.layout().bookkeepingPages();
    this.bits = bits;
  }

  /** Whether the server gave the page memory and has not taken it back. */
  boolean isResident(int page) {
    return bits.getAcquire(page);
  }

  /** How many data pages are resident. */
  int count() {
    return count.getAcquire();
  }

  /** One past the highest page that ever held memory. */
  int highWatermark() {
    return highWatermark;
  }

  /** Pages of memory found since registration that the server had not given. */
  long strays() {
    return strays;
  }

  /**
   * Gives memory to neighbouring pages whose bit is clear. They read as zeros, whatever a client
   * has left there.
   *
   * <p>They are punched first, whether or not there is a sign of strays. The sum over the whole
   * file does not show the strays of a client that has punched as many pages of its own. A punch of
   * pages without memory costs less than the allocation of one page.
   *
   * @param countStrays whether {@link #excess} shows strays, so that those found here are counted
   * @throws SystemCallException if the kernel refused; then nothing has changed
   */
  @GuardedBy("lock")
  void allocate(int startPage, int endPage, boolean countStrays) throws SystemCallException {
    long before = countStrays ? excess() : 0;
    file.punch(startPage, endPage);
    if (countStrays) {
      found(before - excess(), endPage - startPage);
    }
    file.allocate(startPage, endPage);
    bits.set(startPage, endPage);
    addToCount(endPage - startPage);
    highWatermark = Math.max(highWatermark, endPage);
  }

  /**
   * Takes the memory of neighbouring pages that have memory.
   *
   * @throws SystemCallException if the kernel refused; then nothing has changed
   */
  @GuardedBy("lock")
  void punch(int startPage, int endPage) throws SystemCallException {
    file.punch(startPage, endPage);
    bits.clear(startPage, endPage);
    addToCount(startPage - endPage);
  }

  /**
   * ORDER: release, not volatile, because the fence of a volatile write costs a hundredth of a
   * punch. The unlock that follows has a fence.
   */
  @GuardedBy("lock")
  private void addToCount(int pages) {
    count.setRelease(count.getPlain() + pages);
  }

  /**
   * How many pages of memory the file has beyond what the server gave. Costs one fstat.
   *
   * <p>With the lock held, this is the number of strays less the pages that a client has punched
   * without telling the server. A client that does so pays for memory that it does not have, and
   * hides as many strays of its own.
   *
   * <p>RACE: without the lock, a running allocation may show as strays, and a running punch may
   * hide strays. A caller that sees strays checks again with the lock held. The next round sees
   * strays that were hidden.
   */
  long excess() throws SystemCallException {
    return file.residentPages() - bookkeepingPages - count.getAcquire();
  }

  /**
   * Punches and counts strays, if there are any. Goes on where the last search ended, and punches
   * at most as many pages as are allowed under one hold. Nothing tells which of the pages without a
   * bit have memory, so all of them are punched.
   *
   * @param most the most pages to check
   * @return how many pages were checked, in ascending order; the next call goes on after them, or
   *     at the first page again; 0 if there are no strays
   * @throws SystemCallException if the kernel refused; a later search finds what was not punched
   */
  @GuardedBy("lock")
  int punchStrays(int most) throws SystemCallException {
    long before = excess();
    if (before <= 0) {
      return 0;
    }
    int start = nextLook;
    int end = Math.min(pageCount, start + Math.min(most, MAX_LOOKED_AT_PER_HOLD));
    int left = MAX_PAGES_PER_HOLD;
    int page = bits.nextClearAcquire(start, end);
    while (page < end && left > 0) {
      int runEnd = bits.nextSetAcquire(page, Math.min(end, page + left));
      file.punch(page, runEnd);
      left -= runEnd - page;
      page = bits.nextClearAcquire(runEnd, end);
    }
    nextLook = page == pageCount ? 0 : page;
    found(before - excess(), MAX_PAGES_PER_HOLD - left);
    return page - start;
  }

  /**
   * RACE: a client that touches or punches pages at the same time makes its own count inexact, and
   * no other client's.
   */
  @GuardedBy("lock")
  private void found(long pages, int most) {
    int found = Math.clamp(pages, 0, most);
    if (found > 0 && hugePages.causeStrays()) {
      counters.hostStrays(found);
    } else if (found > 0) {
      strays = strays + found;
      counters.strays(found);
    }
  }

  /**
   * Takes the lock for a thread on which other clients wait. If the lock is held for longer than
   * usual, its holder may be in a system call for as long as the file's client likes. So this waits
   * a moment, and then not again until the lock was free once.
   *
   * @return whether the caller holds the lock
   */
  boolean tryLockBriefly() {
    boolean locked = false;
    try {
      locked = heldForLong ? lock.tryLock() : lock.tryLock(BRIEF_MILLIS, TimeUnit.MILLISECONDS);
      heldForLong = !locked;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return locked;
  }

  /** Punches a page if its bit is clear, and leaves it if its bit is set. Changes no bit. */
  @GuardedBy("lock")
  void punchIfClear(int page) throws SystemCallException {
    if (!bits.getAcquire(page)) {
      file.punch(page, page + 1);
    }
  }
}
