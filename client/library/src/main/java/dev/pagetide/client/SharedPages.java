package dev.pagetide.client;

import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.shm.ThreadCounts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A range's file, mapped: what can be done to its pages without asking the server.
 *
 * <p>Each {@code try} method does the whole of what it is asked, or nothing and answers false: then
 * the server is to be asked, who does it or says what is wrong. So there is one place that refuses,
 * with one set of messages, whether or not the file is mapped.
 *
 * <p>Any number of threads may call any method at once, {@link #close} included: an access that
 * comes after the mapping's end throws {@link IllegalStateException}, which the {@code try} methods
 * answer with false.
 *
 * <p>The warm path ({@link #tryUse(int, int)} and {@link #tryStop(int, int)} of resident pages)
 * takes no lock, allocates nothing and makes no system call but the clock's.
 */
final class SharedPages implements AutoCloseable {

  /** A request of more intervals is refused by the server, so it is the server's to answer. */
  static final int MAX_INTERVALS = ContractLimits.MAX_SPANS;

  /** Most pages that {@link #tryUse} takes: those of 256 frames of its recursion. */
  static final int MAX_WARM_PAGES = 256 * PageEdges.MAX_PAGES;

  private static final BitSet NONE = new BitSet();

  private final MappedFile file;
  private final SharedFileLayout layout;
  private final SharedFileHeader header;
  private final PageTable table;
  private final MemorySegment data;
  private final int pageCount;

  private final ThreadCounts counts = new ThreadCounts();
  private final LongAdder asked = new LongAdder();
  private final LongAdder failed = new LongAdder();

  /** The counts of the thread that came last: most often that of the next. */
  private ThreadCounts.Cell lastCounts = counts.own();

  /** The pages of a file, which this closes. */
  SharedPages(MappedFile file) {
    SharedFileLayout layout = file.layout();
    this.file = file;
    this.layout = layout;
    this.header = new SharedFileHeader(file.mapping().asSlice(0, layout.pageSize()));
    this.table =
        new PageTable(
            file.mapping().asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES));
    this.data = file.data();
    this.pageCount = layout.pageCount();
  }

  /**
   * Makes at most {@link #MAX_WARM_PAGES} pages USED if all are resident.
   *
   * @return null if they are USED, with the bytes they had; else the pages that this call has made
   *     USED before it met one that must be asked for, most often none
   */
  @Nullable BitSet tryUse(int startPage, int endPage) {
    if (!isSpan(startPage, endPage)) {
      return NONE;
    }
    try {
      if (header.stateAcquire() != SharedFileHeader.OPEN) {
        return NONE;
      }
      return endPage - startPage == 1 ? tryUsePage(startPage) : tryUsePages(startPage, endPage);
    } catch (IllegalStateException closed) {
      return NONE;
    }
  }

  private @Nullable BitSet tryUsePage(int page) {
    long word = table.wordAcquire(page);
    if (PageWord.state(word) == PageWord.AVAILABLE
        && table.casWord(page, word, PageWord.USED_WORD)) {
      ownCounts().addReused(1);
      return null;
    }
    return PageWord.state(word) == PageWord.USED ? null : tryUsePages(page, page + 1);
  }

  /** All words are looked at before one is flipped: a use that must be asked for changes none. */
  private @Nullable BitSet tryUsePages(int startPage, int endPage) {
    if (endPage - startPage > MAX_WARM_PAGES || !table.allHeldAcquire(startPage, endPage)) {
      return NONE;
    }
    return takeFrom(startPage, endPage);
  }

  /**
   * Takes 64 pages, then the rest by recursion: what was taken is remembered on the stack, and
   * written down only if it is needed.
   */
  private @Nullable BitSet takeFrom(int startPage, int endPage) {
    int end = Math.min(endPage, startPage + PageEdges.MAX_PAGES);
    long taken = PageEdges.toUsed(table, startPage, end);
    int count = Long.bitCount(taken);
    ownCounts().addReused(count);
    BitSet rest = null;
    // RACE: a page may have been reclaimed between look and flip.
    if (count != end - startPage && !PageEdges.areUsed(table, startPage, end, taken)) {
      rest = new BitSet();
    } else if (end < endPage) {
      rest = takeFrom(end, endPage);
    }
    if (rest != null) {
      for (long left = taken; left != 0; left &= left - 1) {
        rest.set(startPage + Long.numberOfTrailingZeros(left));
      }
    }
    return rest;
  }

  /**
   * The pages that only the server can make USED; null if the intervals are such that it is to
   * judge them.
   */
  @Nullable BitSet absent(List<PageInterval> pages) {
    if (!areSpans(pages)) {
      return null;
    }
    BitSet absent = new BitSet();
    for (PageInterval interval : pages) {
      for (int page = interval.startPage(); page < interval.endPage(); page++) {
        int state = PageWord.state(table.wordAcquire(page));
        if (state != PageWord.AVAILABLE && state != PageWord.USED) {
          absent.set(page);
        }
      }
    }
    return absent;
  }

  /**
   * Makes AVAILABLE pages USED.
   *
   * @param taken where those are added that this call has made USED
   * @return whether all are USED now
   */
  boolean take(List<PageInterval> pages, BitSet taken) {
    boolean all = true;
    for (PageInterval interval : pages) {
      for (int page = interval.startPage(); page < interval.endPage(); page++) {
        if (PageEdges.toUsed(table, page, page + 1) != 0) {
          taken.set(page);
          ownCounts().addReused(1);
        } else {
          all &= PageWord.state(table.wordAcquire(page)) == PageWord.USED;
        }
      }
    }
    return all;
  }

  /** Makes USED pages AVAILABLE, FREE ones stay FREE. Whether that was done. */
  boolean tryStop(int startPage, int endPage) {
    if (!isSpan(startPage, endPage)) {
      return false;
    }
    // ORDER: the clock is read before the first compare-and-set, so a stop that returned before
    // another was called has the smaller stamp.
    long available = PageWord.available(System.nanoTime());
    try {
      ownCounts().addStopped(PageEdges.toAvailable(table, startPage, endPage, available));
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** As {@link #tryStop(int, int)}, all with one stamp. */
  boolean tryStop(List<PageInterval> pages) {
    if (!areSpans(pages)) {
      return false;
    }
    long available = PageWord.available(System.nanoTime());
    try {
      for (PageInterval interval : pages) {
        ownCounts()
            .addStopped(
                PageEdges.toAvailable(table, interval.startPage(), interval.endPage(), available));
      }
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** Makes those AVAILABLE that a use had made USED before it failed. */
  void giveBack(BitSet taken) {
    long available = PageWord.available(System.nanoTime());
    try {
      int start = taken.nextSetBit(0);
      while (start >= 0) {
        int end = taken.nextClearBit(start);
        ownCounts().addStopped(PageEdges.toAvailable(table, start, end, available));
        start = taken.nextSetBit(end);
      }
    } catch (IllegalStateException closed) {
      // The session has ended, and all its pages with it.
    }
  }

  /** Copies out of USED pages into all that remains of {@code into}, whose position stays. */
  boolean tryRead(long offset, ByteBuffer into) {
    if (!isUsed(offset, into.remaining())) {
      return false;
    }
    try {
      MemorySegment.copy(data, offset, MemorySegment.ofBuffer(into), 0, into.remaining());
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** Copies all that remains of {@code from}, whose position stays, into USED pages. */
  boolean tryWrite(long offset, ByteBuffer from) {
    if (!isUsed(offset, from.remaining())) {
      return false;
    }
    try {
      MemorySegment.copy(MemorySegment.ofBuffer(from), 0, data, offset, from.remaining());
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** Writes zeros into USED pages. */
  boolean tryFillZero(long offset, long length) {
    if (!isUsed(offset, length)) {
      return false;
    }
    try {
      data.asSlice(offset, length).fill((byte) 0);
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  private boolean isUsed(long offset, long length) {
    if (offset < 0 || length < 0 || length > data.byteSize() - offset) {
      return false;
    }
    int startPage = (int) (offset / layout.pageSize());
    int endPage = (int) ((offset + length + layout.pageSize() - 1) / layout.pageSize());
    try {
      return PageEdges.areUsed(table, startPage, length == 0 ? startPage : endPage);
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** The bytes of pages, where they lie. */
  MemorySegment bytes(int startPage, int endPage) {
    long start = (long) startPage * layout.pageSize();
    return data.asSlice(start, (long) (endPage - startPage) * layout.pageSize());
  }

  /**
   * The bytes of pages in a mapping of their own, which ends with {@code lifetime}. Only where the
   * file was kept.
   */
  MemorySegment mapAnew(int startPage, int endPage, Arena lifetime) {
    return file.mapAnew(
        (long) startPage * layout.pageSize(),
        (long) (endPage - startPage) * layout.pageSize(),
        FileChannel.MapMode.READ_WRITE,
        lifetime);
  }

  /** Whether {@link #mapAnew} works. */
  boolean keepsFile() {
    return file.keepsFile();
  }

  /** Counts pages that the server was asked for, and made USED. */
  void countAsked(int pages) {
    asked.add(pages);
  }

  /** Counts a use that failed. */
  void countFailed() {
    failed.increment();
  }

  /** Tells the server what was counted. From one thread at a time. */
  synchronized void publishCounts() {
    long reused = counts.reused();
    try {
      header.writeClientCounts(
          new ClientCounts(reused + asked.sum(), counts.stopped(), reused, failed.sum()));
    } catch (IllegalStateException closed) {
      // Nobody is there to be told.
    }
  }

  /** The mapping itself. */
  MappedFile file() {
    return file;
  }

  /** Unmaps the file: {@link MappedFile#close}. */
  @Override
  public void close() {
    file.close();
  }

  /** Whether it was not closed yet, or is accessed still. */
  boolean isMapped() {
    return file.isMapped();
  }

  private boolean isSpan(int startPage, int endPage) {
    return startPage >= 0 && startPage < endPage && endPage <= pageCount;
  }

  private boolean areSpans(List<PageInterval> pages) {
    if (pages.size() > MAX_INTERVALS) {
      return false;
    }
    for (PageInterval interval : pages) {
      if (interval.pageCount() > 0 && interval.endPage() > pageCount) {
        return false;
      }
    }
    return true;
  }

  /** The calling thread's counts. */
  private ThreadCounts.Cell ownCounts() {
    // RACE: threads overwrite each other's choice here, and read it plainly: a cell bears its owner
    // in a final field, so whoever finds another's looks up its own.
    ThreadCounts.Cell last = lastCounts;
    if (last.isOwn()) {
      return last;
    }
    ThreadCounts.Cell own = counts.own();
    lastCounts = own;
    return own;
  }
}
