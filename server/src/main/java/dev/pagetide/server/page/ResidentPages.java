package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
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

  private static final long UNDER_WAY = 1;
  private static final long BEGUN = 1L << 32;

  private final PageFile file;
  private final ResidentBits bits;
  private final int pageCount;
  private final int bookkeepingPages;

  // RACE: written under the lock only, so no update is lost; read by anybody at any time.
  private final AtomicInteger count = new AtomicInteger();
  private volatile int highWatermark;
  private volatile long strays;

  /** Low half: uses that allocate now. High half: how many ever did, to see that one came. */
  private final AtomicLong allocations = new AtomicLong();

  ResidentPages(PageFile file) {
    this.file = file;
    this.pageCount = file.layout().pageCount();
    this.bookkeepingPages = file.layout().bookkeepingPages();
    this.bits = new ResidentBits(pageCount);
  }

  /** Whether the server gave the page memory and has not taken it back. */
  boolean isResident(int page) {
    return bits.getAcquire(page);
  }

  /** Whether that is so of every page of a span. */
  boolean areResident(int startPage, int endPage) {
    return bits.allSetAcquire(startPage, endPage);
  }

  /** The same for the 64 pages around {@code page}: bit {@code n % 64} is page n's. */
  long residentAround(int page) {
    return bits.aroundAcquire(page);
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
   * A use is about to {@link #allocate}. Until it has written the words of its pages, which are
   * FREE, and calls {@link #endAllocation}, resident pages are not all AVAILABLE or USED.
   */
  void beginAllocation() {
    allocations.addAndGet(BEGUN + UNDER_WAY);
  }

  void endAllocation() {
    allocations.addAndGet(-UNDER_WAY);
  }

  /** For {@link #noneIsUnderWay}; equal answers mean that none was begun or ended between. */
  long allocations() {
    return allocations.get();
  }

  /** Whether there was no allocation under way when {@link #allocations} was asked. */
  static boolean noneIsUnderWay(long allocations) {
    return (allocations & (BEGUN - 1)) == 0;
  }

  /**
   * Gives memory to neighbouring pages that have none; they read as zeros.
   *
   * @throws SystemCallException if the kernel refused; then nothing has changed
   */
  @GuardedBy("lock")
  void allocate(int startPage, int endPage) throws SystemCallException {
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
   * Punches memory that the server did not give, if the file holds more than it should. One fstat
   * where there is nothing to find.
   *
   * <p>Called before pages are allocated, so that a fresh page is zeros also where a client touched
   * it behind the server's back.
   */
  @GuardedBy("lock")
  void punchStrays() throws SystemCallException {
    long found = file.residentPages() - bookkeepingPages - count.getPlain();
    if (found <= 0) {
      return;
    }
    punchWhereClear(0, pageCount);
    strays = strays + found;
  }

  /** Punches, without any change of a bit, the pages of a span whose bit is clear. */
  @GuardedBy("lock")
  void punchWhereClear(int startPage, int endPage) throws SystemCallException {
    int page = startPage;
    while (page < endPage) {
      if (bits.getAcquire(page)) {
        page++;
        continue;
      }
      int runStart = page;
      while (page < endPage && !bits.getAcquire(page)) {
        page++;
      }
      file.punch(runStart, page);
    }
  }
}
