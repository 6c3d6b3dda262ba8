package dev.pagetide.client;

import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.shm.ThreadCounts;
import dev.pagetide.v1.Opened;
import io.grpc.Status;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A range's file, mapped: what can be done to its pages without asking the server.
 *
 * <p>Each {@code try} method does the whole of what it is asked, or nothing and answers false: then
 * the server is to be asked, who does it or says what is wrong. So there is one place that refuses,
 * with one set of messages, whether or not the file is mapped.
 *
 * <p>Any number of threads may call any method at once, {@link #close} included: the mapping is a
 * shared arena's, whose end no access survives to crash on; an access that comes too late throws
 * {@link IllegalStateException}, which the {@code try} methods answer with false.
 *
 * <p>The warm path ({@link #tryUse(int, int)} and {@link #tryStop(int, int)} of resident pages)
 * takes no lock, allocates nothing and makes no system call but the clock's.
 */
final class SharedPages implements AutoCloseable {

  /** A request of more intervals is refused by the server, so it is the server's to answer. */
  static final int MAX_INTERVALS = 4096;

  /** What the recursion of {@link #takeFrom} may take: 256 frames. */
  private static final int MAX_WARM_PAGES = 256 * PageEdges.MAX_PAGES;

  private static final long UNMAP_RETRY_NANOS = 1_000_000;

  private static final BitSet NONE = new BitSet();

  private final SharedFileLayout layout;
  private final Arena arena;
  private final SharedFileHeader header;
  private final PageTable table;
  private final MemorySegment data;
  private final int pageCount;

  /** Kept only where scopes map their pages anew. */
  private final @Nullable FileDescriptor file;

  private final ThreadCounts counts = new ThreadCounts();
  private final LongAdder asked = new LongAdder();
  private final LongAdder failed = new LongAdder();

  /** The counts of the thread that came last: most often that of the next. */
  private ThreadCounts.Cell lastCounts = counts.own();

  private SharedPages(
      SharedFileLayout layout, Arena arena, MemorySegment mapping, @Nullable FileDescriptor file) {
    this.layout = layout;
    this.arena = arena;
    this.header = new SharedFileHeader(mapping.asSlice(0, layout.pageSize()));
    this.table =
        new PageTable(
            mapping.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES));
    this.data = mapping.asSlice(layout.dataOffset(), layout.dataBytes());
    this.pageCount = layout.pageCount();
    this.file = file;
  }

  /**
   * Maps a file, after looking whether it is the one that was promised.
   *
   * @param file closed by this method, or with the mapping
   * @param keepFile whether scopes are to map their pages anew: {@link #mapAnew}
   * @throws PagetideException if it is another file, or cannot be mapped
   */
  static SharedPages map(FileDescriptor file, Opened opened, boolean keepFile) {
    boolean kept = false;
    try (FileChannel channel = open(file)) {
      SharedFileLayout layout = check(channel, opened);
      Arena arena = Arena.ofShared();
      try {
        MemorySegment mapping =
            channel.map(FileChannel.MapMode.READ_WRITE, 0, layout.sizeBytes(), arena);
        SharedPages pages = new SharedPages(layout, arena, mapping, keepFile ? file : null);
        kept = keepFile;
        return pages;
      } catch (IOException | RuntimeException e) {
        arena.close();
        throw e;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new PagetideException(
          Status.Code.UNAVAILABLE,
          null,
          "the file that was handed over cannot be mapped: " + e.getMessage(),
          null,
          false,
          0,
          e);
    } finally {
      if (!kept) {
        Handoff.closeQuietly(file);
      }
    }
  }

  /** A descriptor of our own is opened again by its number: that needs no native call of ours. */
  private static FileChannel open(FileDescriptor file) throws IOException {
    return FileChannel.open(
        Path.of("/proc/self/fd/" + file.intValue()),
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  private static SharedFileLayout check(FileChannel channel, Opened opened) throws IOException {
    SharedFileLayout layout = SharedFileLayout.of(opened.getPageSize(), opened.getPageCount());
    if (channel.size() != layout.sizeBytes()) {
      throw new IOException(
          "it has " + channel.size() + " bytes, and should have " + layout.sizeBytes());
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment start = arena.allocate(SharedFileHeader.SIZE_BYTES, Long.BYTES);
      ByteBuffer buffer = start.asByteBuffer();
      while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) > 0) {}
      SharedFileHeader header = new SharedFileHeader(start);
      if (header.versionAcquire() != SharedFileLayout.VERSION
          || header.magic() != SharedFileHeader.MAGIC) {
        throw new IOException(
            "it is not a Pagetide file of layout version " + SharedFileLayout.VERSION);
      }
      if (!header.layout().equals(layout)
          || header.rangeId() != opened.getRangeId()
          || header.serverInstance() != opened.getServerInstance()) {
        throw new IOException("its header tells of another range than the one that was opened");
      }
    }
    return layout;
  }

  /**
   * Makes pages USED if all are resident.
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
    FileDescriptor kept = file;
    if (kept == null) {
      throw new IllegalStateException("the file was not kept");
    }
    try (FileChannel channel = open(kept)) {
      return channel.map(
          FileChannel.MapMode.READ_WRITE,
          layout.pageOffset(startPage),
          (long) (endPage - startPage) * layout.pageSize(),
          lifetime);
    } catch (IOException e) {
      throw new IllegalStateException("cannot map pages anew: " + e.getMessage(), e);
    }
  }

  /** Whether {@link #mapAnew} works. */
  boolean keepsFile() {
    return file != null;
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

  /**
   * Unmaps the file. Idempotent. An access that is under way elsewhere fails; where one cannot (a
   * read or write of a channel on the mapped bytes), the file is unmapped as soon as it has ended.
   */
  @Override
  public void close() {
    if (!tryUnmap()) {
      var _ =
          Thread.startVirtualThread(() -> {
            while (!tryUnmap()) {
              LockSupport.parkNanos(UNMAP_RETRY_NANOS);
            }
          });
    }
    FileDescriptor kept = file;
    if (kept != null && kept.isOpen()) {
      Handoff.closeQuietly(kept);
    }
  }

  /** Whether it was not closed yet, or is accessed still. */
  boolean isMapped() {
    return arena.scope().isAlive();
  }

  private synchronized boolean tryUnmap() {
    if (!isMapped()) {
      return true;
    }
    try {
      arena.close();
      return true;
    } catch (IllegalStateException accessed) {
      return false;
    }
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
