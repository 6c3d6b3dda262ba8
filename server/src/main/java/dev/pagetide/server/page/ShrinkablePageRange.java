package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.shm.ThreadCounts;
import java.nio.ByteBuffer;
import java.util.OptionalLong;

/**
 * The pages that one session may use, backed by one shared file.
 *
 * <p>Each page is in one of three states:
 *
 * <ul>
 *   <li>FREE: it has no memory. {@link #useRange} gives it memory, and it reads as zeros.
 *   <li>AVAILABLE: it has memory that no client uses. The {@link Shrinker} may take it at any
 *       instant.
 *   <li>USED: it has memory that a client uses. The shrinker never takes it.
 * </ul>
 *
 * <p>Whether a page is USED is a boolean, not a count: use, use, stop leaves it AVAILABLE. {@link
 * #useRange} and {@link #stopUsingRange} are idempotent. They may race with each other, with
 * themselves and with the shrinker. If use and stop race on one page, either may win, but never
 * half of each. Any number of threads may call every method at once, also {@link #close}. A call
 * that comes after the close gets {@link PageFailure.Closed}.
 *
 * <p>Spans with {@code startPage >= endPage} name no page and are no error, wherever they lie.
 *
 * <p>Memory consistency: bytes written before {@code write} returns are seen by every {@code read}
 * that starts after it. A page that is stopped <em>while</em> it is copied may be reclaimed during
 * the copy. Then a reader gets old bytes or zeros; a writer may lose bytes; nothing else happens.
 *
 * <p>The seed is Binder's {@code page_range.rs} (Linux 6.18); {@code server/docs/DESIGN.md} says
 * where this differs and why.
 */
/*
 * A bit and a word describe each page. What the page counts as:
 *
 *   bit    word        the page counts as
 *   clear  anything    FREE
 *   set    FREE        FREE; a contradiction, unless an allocation or a punch is running
 *   set    AVAILABLE   AVAILABLE
 *   set    USED        USED
 *   set    3           USED; a contradiction
 *
 * The word is in shared memory, where a client flips AVAILABLE <-> USED by itself and may write
 * anything. (In RangeMode.BUFFERS the word is in the server's own memory.) The bit is in the
 * server's own memory; ResidentPages writes it. PageMap has the rule. Every word is read once, into
 * a local, before anything is decided.
 *
 * The warm paths (all pages resident) take no lock, allocate nothing and make no system call but
 * the clock's. They access the mapping outside an entry. The mapping's arena refuses accesses after
 * it was closed, with a handshake that costs the accesses nothing, so a late access ends in Closed.
 * The descriptor has no such guard. So allocate, copy and punch, which need it, enter first.
 *
 * Invariants, at rest (checkInvariants): count of set bits = ResidentPages.count();
 * bookkeeping + that count = the file's resident pages; charge = that sum.
 */
public final class ShrinkablePageRange implements AutoCloseable {
  private final long id;
  private final RangeMemory memory;
  private final Shrinker shrinker;
  private final PageContext context;
  private final PageCounters counters;
  private final PageMap map;
  private final ResidentPages pages;
  private final ByteCopies copies;
  private final UsedAges ages;
  private final CloseGuard entries = new CloseGuard();
  private final int pageCount;
  private final int pageSize;

  /** The counts of the last calling thread, which is most often the next one, too. */
  private ThreadCounts.Cell lastCounts;

  private ShrinkablePageRange(long id, RangeMemory memory, Shrinker shrinker) {
    this.id = id;
    this.memory = memory;
    this.shrinker = shrinker;
    this.context = shrinker.context();
    PageFile file = memory.file();
    this.counters = context.counters();
    this.lastCounts = counters.own();
    this.pageCount = file.layout().pageCount();
    this.pageSize = file.layout().pageSize();
    ResidentBits bits = new ResidentBits(pageCount);
    this.map = new PageMap(memory.table(), bits);
    this.pages = new ResidentPages(file, bits, counters, context.hugePages());
    this.copies = new ByteCopies(file, map, pages, entries);
    this.ages = new UsedAges(pageCount, context.clock().nanos());
  }

  /**
   * Makes a range whose pages are all FREE, and adds it to the shrinker. If a step fails, all
   * earlier steps are undone.
   *
   * @param id the range's public number, not used before; it breaks ties between stamps
   * @param sizeBytes the requested size, unsigned; rounded down to pages, and to the set maximum
   * @param budget what the range's memory is charged to; header and page table at once
   * @throws PageFailure.SizeInvalid if the size is less than one page
   * @throws PageFailure.NoMemory if there is no memory for the bookkeeping pages
   */
  public static ShrinkablePageRange register(
      long id,
      RangeMode mode,
      long sizeBytes,
      RangeConfig config,
      PageBudget budget,
      Shrinker shrinker) {
    SharedFileLayout layout = config.grant(sizeBytes);
    RangeMemory memory = RangeMemory.take(id, mode, layout, config, budget, shrinker);
    ShrinkablePageRange range = null;
    boolean added = false;
    try {
      range = new ShrinkablePageRange(id, memory, shrinker);
      shrinker.add(range);
      added = true;
      return range;
    } finally {
      if (!added && range != null) {
        range.close();
      } else if (!added) {
        memory.giveBack(0, true);
      }
    }
  }

  /** A builder for sets of this range's pages. */
  public PageSpans.Builder spans() {
    return new PageSpans.Builder(pageCount);
  }

  /**
   * Makes pages USED. Returns once every one of them is resident and USED.
   *
   * @return the pages that were FREE and now read as zeros; the others keep their bytes
   * @throws PageFailure.PastEnd if the range has no such pages; nothing has changed
   * @throws PageFailure.NoMemory if there is no memory for all of them; no page has changed
   * @throws PageFailure.Closed if the range is closing
   */
  public PageSpans useRange(int startPage, int endPage) {
    if (tryUseRange(startPage, endPage)) {
      return PageSpans.NONE;
    }
    return UseAllocation.withoutWaiting(this, PageSpans.of(startPage, endPage));
  }

  /** As {@link #useRange(int, int)}, for a set of pages: all become USED, or none changes. */
  public PageSpans useRange(PageSpans spans) {
    if (tryUseRange(spans)) {
      return PageSpans.NONE;
    }
    return UseAllocation.withoutWaiting(this, spans);
  }

  /**
   * Makes pages USED if all are resident, without ever waiting: no lock, no system call.
   *
   * @return whether they are USED; if not, nothing has changed, and {@link #useRange} will do it
   * @throws PageFailure as {@link #useRange} does
   */
  public boolean tryUseRange(int startPage, int endPage) {
    if (startPage >= endPage) {
      entries.checkOpen();
      return true;
    }
    checkSpan(startPage, endPage);
    try {
      // One page needs no gate, because there is only a compare-and-set between read and flip.
      return endPage - startPage == 1
          ? map.toUsed(startPage, ownCounts())
          : map.toUsedIfAllHeld(startPage, endPage, ownCounts());
    } catch (IllegalStateException e) {
      throw entries.closed(e);
    }
  }

  /** As {@link #tryUseRange(int, int)}, for a set of pages. */
  public boolean tryUseRange(PageSpans spans) {
    if (spans.size() == 1) {
      return tryUseRange(spans.startPage(0), spans.endPage(0));
    }
    entries.checkOpen();
    try {
      return map.toUsedIfAllHeld(spans, ownCounts());
    } catch (IllegalStateException e) {
      throw entries.closed(e);
    }
  }

  /** The calling thread's counts. */
  private ThreadCounts.Cell ownCounts() {
    // RACE: threads overwrite each other's choice here, and read it plainly. A cell has its owner
    // in a final field, so a thread that finds another thread's cell looks up its own.
    ThreadCounts.Cell last = lastCounts;
    if (last.isOwn()) {
      return last;
    }
    ThreadCounts.Cell own = counters.own();
    lastCounts = own;
    return own;
  }

  /**
   * Makes USED pages AVAILABLE. FREE pages stay FREE; AVAILABLE pages keep their place in the order
   * of reclaim. All pages of one call get one stamp. Never waits, and frees no memory.
   *
   * @throws PageFailure.PastEnd if the range has no such pages; nothing has changed
   * @throws PageFailure.Closed if the range is closing
   */
  public void stopUsingRange(int startPage, int endPage) {
    if (startPage >= endPage) {
      entries.checkOpen();
      return;
    }
    checkSpan(startPage, endPage);
    // ORDER: the clock is read before the first compare-and-set. So a stop that returned before
    // another was called has the smaller stamp. The eviction queue's exactness depends on that.
    long available = PageWord.available(context.clock().nanos());
    ThreadCounts.Cell counts = ownCounts();
    try {
      counts.addStopped(map.toAvailable(startPage, endPage, available));
    } catch (IllegalStateException e) {
      throw entries.closed(e);
    }
  }

  /** As {@link #stopUsingRange(int, int)}, for a set of pages. */
  public void stopUsingRange(PageSpans spans) {
    entries.checkOpen();
    long available = PageWord.available(context.clock().nanos());
    int stopped = 0;
    try {
      for (int span = 0; span < spans.size(); span++) {
        stopped += map.toAvailable(spans.startPage(span), spans.endPage(span), available);
      }
    } catch (IllegalStateException e) {
      throw entries.closed(e);
    } finally {
      ownCounts().addStopped(stopped);
    }
  }

  /**
   * Fills {@code target} with bytes of USED pages.
   *
   * @param offset bytes from the start of the range, unsigned
   * @throws PageFailure.PastEnd if the range does not have that many bytes
   * @throws PageFailure.NotUsed if a byte's page is not USED; nothing was copied
   * @throws PageFailure.Closed if the range is closing
   */
  public void read(long offset, ByteBuffer target) {
    copies.read(offset, target);
  }

  /**
   * Copies {@code source} into USED pages.
   *
   * @param offset bytes from the start of the range, unsigned
   * @throws PageFailure.PastEnd if the range does not have that many bytes
   * @throws PageFailure.NotUsed if a byte's page is not USED; nothing was written
   * @throws PageFailure.Closed if the range is closing
   */
  public void write(long offset, ByteBuffer source) {
    copies.write(offset, source);
  }

  /**
   * Writes zeros into USED pages; they stay resident.
   *
   * @param offset bytes from the start of the range, unsigned
   * @param length bytes, unsigned
   * @throws PageFailure as {@link #write} does
   */
  public void fillZero(long offset, long length) {
    copies.fillZero(offset, length);
  }

  /**
   * The state of each page of a span, at some moment during the call.
   *
   * @throws PageFailure.PastEnd if the range has no such pages
   * @throws PageFailure.Closed if the range is closing
   */
  public PageState[] states(int startPage, int endPage) {
    if (startPage >= endPage) {
      entries.checkOpen();
      return new PageState[0];
    }
    checkSpan(startPage, endPage);
    entries.enter();
    try {
      return map.states(startPage, endPage);
    } finally {
      entries.leave();
    }
  }

  /** Counts pages by state. For a closing range all counts are 0. */
  public PageCounts counts() {
    if (!entries.tryEnter()) {
      return PageCounts.NONE;
    }
    try {
      return map.count();
    } finally {
      entries.leave();
    }
  }

  /** As {@link #counts}, with the longest time that pages can have been USED; for watchers. */
  public RangeLook look() {
    if (!entries.tryEnter()) {
      return new RangeLook(PageCounts.NONE, OptionalLong.empty());
    }
    try {
      // ORDER: the clock is read before any word.
      return map.look(ages, context.clock().nanos());
    } finally {
      entries.leave();
    }
  }

  /**
   * A duplicate descriptor of the range's file for another process. It outlives the range. The
   * range's pages are nevertheless punched when the range ends.
   *
   * @throws PageFailure.SystemRefused if this process may have no more descriptors
   * @throws PageFailure.Closed if the range is closing
   */
  public FileDuplicate duplicateFile() {
    entries.enter();
    try {
      return memory.file().duplicate();
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      entries.leave();
    }
  }

  /** The range's public number. */
  public long id() {
    return id;
  }

  /** The range's mode, which says where its page words are. */
  public RangeMode mode() {
    return memory.ownWords() == null ? RangeMode.PAGES : RangeMode.BUFFERS;
  }

  /** How many pages were granted. */
  public int pageCount() {
    return pageCount;
  }

  /** Bytes in a page. */
  public int pageSize() {
    return pageSize;
  }

  /** One past the highest page that ever held memory. */
  public int highWatermark() {
    return pages.highWatermark();
  }

  /** Pages of memory found since registration that the server had not given. */
  public long strays() {
    return pages.strays();
  }

  /** Whether the range is closing or closed. */
  public boolean isClosed() {
    return entries.isShut();
  }

  /**
   * Ends the range and gives back all its memory, also if other processes still hold the file.
   * Waits for the threads that are inside. Later calls of any method see a closed range.
   * Idempotent. Not for threads that serve RPCs.
   */
  @Override
  public void close() {
    end(true);
  }

  /**
   * Ends the range as {@link #close} does, but leaves its bytes to the processes that have mapped
   * the file. For a server that stops.
   */
  public void closeKeepingBytes() {
    end(false);
  }

  private void end(boolean punch) {
    if (!entries.shutAndAwait()) {
      return;
    }
    // No thread gets here a second time. So each step runs even if an earlier one threw.
    int resident = pages.count();
    try {
      shrinker.remove(this);
    } finally {
      try {
        memory.giveBack(resident, punch);
      } finally {
        shrinker.ended(resident);
      }
    }
  }

  private void checkSpan(int startPage, int endPage) {
    entries.checkOpen();
    if (startPage < 0 || endPage > pageCount) {
      throw PageFailure.PastEnd.ofPages(startPage, endPage, pageCount);
    }
  }

  ByteCopies copies() {
    return copies;
  }

  PageMap map() {
    return map;
  }

  ResidentPages pages() {
    return pages;
  }

  UsedAges ages() {
    return ages;
  }

  PageTable table() {
    return memory.table();
  }

  PageBudget budget() {
    return memory.budget();
  }

  PageContext context() {
    return context;
  }

  Shrinker shrinker() {
    return shrinker;
  }

  ReclaimGate gate() {
    return map.gate();
  }

  CloseGuard entries() {
    return entries;
  }

  PageFile file() {
    return memory.file();
  }

  @Override
  public String toString() {
    return "ShrinkablePageRange[id=" + id + ", pages=" + pageCount + "]";
  }
}
