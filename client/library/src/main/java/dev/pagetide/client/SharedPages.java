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
 * The mapped file of a range: the operations on its pages that need no request to the server.
 *
 * <p>Each {@code try} method either does all of its work, or does nothing and returns false. Then
 * the caller asks the server, which does the work or says what is wrong. So only the server
 * refuses, with one set of messages, whether or not the file is mapped.
 *
 * <p>Any number of threads may call any method at once, including {@link #close}. An access after
 * the mapping's end throws {@link IllegalStateException}; the {@code try} methods return false
 * then.
 *
 * <p>The warm path ({@link #tryUse(int, int)} and {@link #tryStop(int, int)} of resident pages)
 * takes no lock, allocates nothing, and makes no system call except reading the clock.
 */
final class SharedPages implements AutoCloseable {

  /** The server refuses a request with more intervals, so we leave it to the server. */
  static final int MAX_INTERVALS = ContractLimits.MAX_SPANS;

  /** Most pages that {@link #tryUse} takes: its recursion then has at most 256 frames. */
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

  /**
   * The counts of the thread that was here last; most often the next call is that thread's, too.
   */
  private ThreadCounts.Cell lastCounts = counts.own();

  /** The pages of a file; {@link #close} closes the file. */
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
   * @return null if they are USED and have kept their bytes; otherwise the pages that this call has
   *     made USED before it found one for which the server must be asked, most often none
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

  /** Reads all words before it changes one, so that it changes none if the server must be asked. */
  private @Nullable BitSet tryUsePages(int startPage, int endPage) {
    if (endPage - startPage > MAX_WARM_PAGES || !table.allHeldAcquire(startPage, endPage)) {
      return NONE;
    }
    return takeFrom(startPage, endPage);
  }

  /**
   * Takes 64 pages, then the rest by recursion. The stack remembers which pages were taken, and a
   * set of them is made only if it is needed.
   */
  private @Nullable BitSet takeFrom(int startPage, int endPage) {
    int end = Math.min(endPage, startPage + PageEdges.MAX_PAGES);
    long taken = PageEdges.toUsed(table, startPage, end);
    int count = Long.bitCount(taken);
    ownCounts().addReused(count);
    BitSet rest = null;
    // RACE: the server may have reclaimed a page after we read its word and before we changed it.
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
   * The pages that only the server can make USED; null if the server must check the intervals
   * themselves.
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
   * @param taken the set to which this adds the pages that it has made USED
   * @return whether all pages are USED now
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

  /** Makes USED pages AVAILABLE; FREE pages stay FREE. Returns whether it did so. */
  boolean tryStop(int startPage, int endPage) {
    if (!isSpan(startPage, endPage)) {
      return false;
    }
    // ORDER: we read the clock before the first compare-and-set, so a stop that returned before
    // another was called has the smaller stamp.
    long available = PageWord.available(System.nanoTime());
    try {
      ownCounts().addStopped(PageEdges.toAvailable(table, startPage, endPage, available));
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** As {@link #tryStop(int, int)}; all pages get the same stamp. */
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

  /** Makes those pages AVAILABLE that a call had made USED before it failed. */
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

  /** Copies out of USED pages into the remaining bytes of {@code into}. Its position stays. */
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

  /** Copies the remaining bytes of {@code from} into USED pages. Its position stays. */
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

  /** The bytes of pages, in place. */
  MemorySegment bytes(int startPage, int endPage) {
    long start = (long) startPage * layout.pageSize();
    return data.asSlice(start, (long) (endPage - startPage) * layout.pageSize());
  }

  /**
   * The bytes of pages in a mapping of their own, which ends with {@code lifetime}. Only if the
   * file was kept open.
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

  /** Counts pages that the server has made USED on request. */
  void countAsked(int pages) {
    asked.add(pages);
  }

  /** Counts a failed call to use pages. */
  void countFailed() {
    failed.increment();
  }

  /** Writes the counts for the server. From one thread at a time. */
  synchronized void publishCounts() {
    long reused = counts.reused();
    try {
      header.writeClientCounts(
          new ClientCounts(reused + asked.sum(), counts.stopped(), reused, failed.sum()));
    } catch (IllegalStateException closed) {
      // The range has ended, and its counts are not needed any more.
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

  /** Whether it was not closed yet, or is still accessed. */
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
    // RACE: threads overwrite each other's choice here, and read it plainly. A cell has its owner
    // in a final field, so a thread that finds the cell of another looks up its own.
    ThreadCounts.Cell last = lastCounts;
    if (last.isOwn()) {
      return last;
    }
    ThreadCounts.Cell own = counts.own();
    lastCounts = own;
    return own;
  }
}
