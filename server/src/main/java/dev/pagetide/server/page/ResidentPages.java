package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Which pages of one range hold memory, and the lock under which that changes.
 *
 * <p>The bits here, and not the words in the shared table, are what the server believes: a bit
 * changes only next to a successful allocate or punch, with the lock held.
 */
@SuppressWarnings("NonAtomicVolatileUpdate") // only the lock's holder writes
final class ResidentPages {
  /**
   * The range's lock. LOCKS: held across one system call at a time, at most {@link
   * #MAX_PAGES_PER_HOLD} pages under one hold; its holder takes no other lock, waits for nobody and
   * calls no other component.
   */
  final ReentrantLock lock = new ReentrantLock();

  /** The most pages given or taken under one hold of the lock: a quarter of a millisecond. */
  static final int MAX_PAGES_PER_HOLD = 256;

  /**
   * The most bits that are looked at under one hold for strays: what lies between them is found in
   * some microseconds, however large the range.
   */
  private static final int MAX_LOOKED_AT_PER_HOLD = 64 * MAX_PAGES_PER_HOLD;

  private final PageFile file;
  private final PageCounters counters;
  private final HugePages hugePages;
  private final ResidentBits bits;
  private final int pageCount;
  private final int bookkeepingPages;

  // RACE: written under the lock only, so no update is lost; read by anybody at any time.
  private final AtomicInteger count = new AtomicInteger();
  private volatile int highWatermark;
  private volatile long strays;

  /** Where the next look for strays begins, so that looks that were cut short go all round. */
  @GuardedBy("lock")
  private int nextLook;

  /**
   * The pages of a file, none of which is resident.
   *
   * @param bits all clear; nobody else changes them
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

  /** Pages of memory found that the server had not given, since the range was registered. */
  long strays() {
    return strays;
  }

  /**
   * Gives memory to neighbouring pages whose bit is clear; they read as zeros, whatever a client
   * has left there.
   *
   * <p>They are punched first, whether or not there is a sign of strays: the sum over the whole
   * file does not show those of a client that has punched as many pages of its own. A punch of
   * nothing costs less than the allocation of one page.
   *
   * @param countStrays whether {@link #excess} tells of strays, so that what lay here is counted
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
   * Takes the memory of neighbouring pages that have it.
   *
   * @throws SystemCallException if the kernel refused; then nothing has changed
   */
  @GuardedBy("lock")
  void punch(int startPage, int endPage) throws SystemCallException {
    file.punch(startPage, endPage);
    bits.clear(startPage, endPage);
    addToCount(startPage - endPage);
  }

  /** ORDER: release, not volatile, whose fence costs a hundredth of a punch; unlocking has one. */
  @GuardedBy("lock")
  private void addToCount(int pages) {
    count.setRelease(count.getPlain() + pages);
  }

  /**
   * How many pages of memory the file holds beyond what the server gave. One fstat.
   *
   * <p>With the lock held: strays, less the pages that a client has punched behind the server's
   * back. A client that does so pays for memory it does not have, and hides as much that it
   * brought.
   *
   * <p>RACE: without the lock an allocation under way may show as strays, and a punch under way may
   * hide some; who sees strays looks again with the lock held, and the next round sees the others.
   */
  long excess() throws SystemCallException {
    return file.residentPages() - bookkeepingPages - count.getAcquire();
  }

  /**
   * Punches and counts strays, if there are any: one hold's worth of pages, from where the last
   * look ended. Which of the pages without a bit hold memory cannot be told, so all are punched.
   *
   * @param most the most pages to look at
   * @return how many were looked at, in their order and round the end; 0: there are no strays
   * @throws SystemCallException if the kernel refused; what was not punched is found again
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

  /** RACE: a client that touches or punches pages meanwhile blurs its own count, and no other. */
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
   * Punches, without any change of a bit, a page whose bit is clear; leaves one whose bit is set.
   */
  @GuardedBy("lock")
  void punchIfClear(int page) throws SystemCallException {
    if (!bits.getAcquire(page)) {
      file.punch(page, page + 1);
    }
  }
}
