package dev.pagetide.server.page;

import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import java.nio.ByteBuffer;

/**
 * The pages one session may use, backed by one shared file.
 *
 * <p>Each page is in one of three states:
 *
 * <ul>
 *   <li>FREE: it holds no memory. {@link #useRange} gives it some, and it reads as zeros.
 *   <li>AVAILABLE: it holds memory that nobody uses; the {@link Shrinker} may take it at any
 *       instant.
 *   <li>USED: it holds memory that somebody uses; the shrinker never takes it.
 * </ul>
 *
 * <p>A page's use is a boolean, not a count: use, use, stop leaves it AVAILABLE. {@link #useRange}
 * and {@link #stopUsingRange} are idempotent and may race with each other, with themselves and with
 * the shrinker; if use and stop race on one page either may win, never half of each. Every method
 * may be called by any number of threads at once, {@link #close} included: whoever comes too late
 * gets {@link PageFailure.Closed}.
 *
 * <p>Spans with {@code startPage >= endPage} name no page and are no error, wherever they lie.
 *
 * <p>Memory consistency: bytes written before {@code write} returns are seen by every {@code read}
 * that starts after it. A page that is stopped <em>while</em> it is copied may be reclaimed under
 * the copy: a reader gets old bytes or zeros, a writer's bytes may be gone, nothing else happens.
 *
 * <p>The seed is Binder's {@code page_range.rs} (Linux 6.18); {@code server/docs/DESIGN.md} says
 * where this differs and why.
 */
/*
 * Two truths about a page, and which one counts:
 *
 *   bit    word            the page counts as
 *   clear  anything        FREE
 *   set    AVAILABLE       AVAILABLE
 *   set    USED, FREE, 3   USED; FREE and 3 are contradictions
 *
 * The word lies in shared memory, where a client flips AVAILABLE <-> USED by itself and may write
 * anything. The bit lies in ResidentPages, in our own memory. Every word is read once, into a local,
 * before anything is decided.
 *
 * The warm paths (all pages resident) take no lock, allocate nothing and make no system call but the
 * clock's. They touch the mapping outside an entry: the arena beneath it refuses accesses after it
 * was closed, with a handshake that costs the accesses nothing, so a late one ends in Closed. The
 * descriptor has no such guard, so whoever needs it (allocate, copy, punch) enters first.
 *
 * Invariants, at rest (checkInvariants): count of set bits = ResidentPages.count();
 * bookkeeping + that count = the file's resident pages; charge = that sum.
 */
public final class ShrinkablePageRange implements AutoCloseable {
  /**
   * How often a warm path tries one word. Honest words change a few times at most while one looks;
   * past this somebody scribbles, and the slow path decides under the lock.
   */
  private static final int MAX_TRIES = 1_000;

  private final long id;
  private final PageFile file;
  private final PageTable table;
  private final PageBudget budget;
  private final Shrinker shrinker;
  private final PageCounters counters;
  private final ResidentPages pages;
  private final ReclaimGate gate = new ReclaimGate();
  private final Entries entries = new Entries();
  private final int pageCount;
  private final int pageSize;

  /**
   * The counts of the thread that came last: most often that of the next, and found by one read.
   */
  private ThreadCounts.Cell lastCounts;

  private ShrinkablePageRange(
      long id, PageFile file, PageTable table, PageBudget budget, Shrinker shrinker) {
    this.id = id;
    this.file = file;
    this.table = table;
    this.budget = budget;
    this.shrinker = shrinker;
    this.counters = shrinker.counters();
    this.lastCounts = counters.own();
    this.pageCount = file.layout().pageCount();
    this.pageSize = file.layout().pageSize();
    this.pages = new ResidentPages(file);
  }

  /**
   * Makes a range whose pages are all FREE, and tells the shrinker of it.
   *
   * @param id the range's public number, not used before; ties between stamps are broken by it
   * @param sizeBytes the size asked for, unsigned; rounded down to pages, and to the terms' maximum
   * @param budget what the range's memory is charged to; its header and page table at once
   * @throws PageFailure.SizeInvalid if the size is less than one page
   * @throws PageFailure.NoMemory if the bookkeeping pages cannot be had
   */
  public static ShrinkablePageRange register(
      long id, long sizeBytes, RangeTerms terms, PageBudget budget, Shrinker shrinker) {
    PageFileMaker files = terms.files();
    int pageSize = files.pageSize();
    long granted =
        Long.compareUnsigned(sizeBytes, terms.maxRangeBytes()) > 0
            ? terms.maxRangeBytes()
            : sizeBytes;
    if (granted < pageSize) {
      throw new PageFailure.SizeInvalid(sizeBytes, pageSize);
    }
    int pageCount = Math.toIntExact(granted / pageSize);
    SharedFileLayout layout = SharedFileLayout.of(pageSize, pageCount);
    shrinker.reserve(budget, layout.bookkeepingPages());
    PageFile file;
    try {
      file = files.make("pagetide-range-" + id, layout);
    } catch (SystemCallException | RuntimeException e) {
      budget.release(layout.bookkeepingPages());
      throw e instanceof SystemCallException kernel
          ? new PageFailure.NoMemory(layout.bookkeepingPages(), kernel)
          : (RuntimeException) e;
    }
    new SharedFileHeader(file.header()).writeOnce(layout, id, terms.serverInstance());
    ShrinkablePageRange range =
        new ShrinkablePageRange(id, file, new PageTable(file.table()), budget, shrinker);
    shrinker.add(range);
    return range;
  }

  /** A builder for sets of this range's pages. */
  public PageSpans.Builder spans() {
    return new PageSpans.Builder(pageCount);
  }

  /**
   * Makes pages USED. Returns once every one of them is resident and USED.
   *
   * @return the pages that were FREE and read as zeros now; the others keep their bytes
   * @throws PageFailure.PastEnd if the range has no such pages; nothing has changed
   * @throws PageFailure.NoMemory if there is no memory for all of them; no page has changed
   * @throws PageFailure.Closed if the range is closing
   */
  public PageSpans useRange(int startPage, int endPage) {
    if (tryUseRange(startPage, endPage)) {
      return PageSpans.NONE;
    }
    return allocateSlow(PageSpans.of(startPage, endPage));
  }

  /** As {@link #useRange(int, int)}, for a set of pages: all are used, or none is changed. */
  public PageSpans useRange(PageSpans spans) {
    if (tryUseRange(spans)) {
      return PageSpans.NONE;
    }
    return allocateSlow(spans);
  }

  /**
   * Makes pages USED if all are resident, without ever waiting: no lock, no system call.
   *
   * @return whether they are USED; if not, nothing has changed, and {@link #useRange} will do it
   * @throws PageFailure as {@link #useRange} does
   */
  public boolean tryUseRange(int startPage, int endPage) {
    if (startPage >= endPage) {
      checkOpen();
      return true;
    }
    checkSpan(startPage, endPage);
    try {
      return endPage - startPage == 1 ? tryUsePage(startPage) : tryUsePages(startPage, endPage);
    } catch (IllegalStateException e) {
      throw closed(e);
    }
  }

  /** As {@link #tryUseRange(int, int)}, for a set of pages. */
  public boolean tryUseRange(PageSpans spans) {
    if (spans.size() == 1) {
      return tryUseRange(spans.startPage(0), spans.endPage(0));
    }
    checkOpen();
    try {
      return tryUseSpans(spans);
    } catch (IllegalStateException e) {
      throw closed(e);
    }
  }

  /** One page needs no gate: nothing comes between its look and its flip. */
  private boolean tryUsePage(int page) {
    ThreadCounts.Cell counts = ownCounts();
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      if (!pages.isResident(page)) {
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

  private boolean tryUsePages(int startPage, int endPage) {
    try {
      if (!gate.enter() || !allHeld(startPage, endPage)) {
        return false;
      }
      ownCounts().addReused(flipToUsed(startPage, endPage));
      return true;
    } finally {
      gate.leave();
    }
  }

  private boolean tryUseSpans(PageSpans spans) {
    try {
      if (!gate.enter()) {
        return false;
      }
      for (int span = 0; span < spans.size(); span++) {
        if (!allHeld(spans.startPage(span), spans.endPage(span))) {
          return false;
        }
      }
      int reused = 0;
      for (int span = 0; span < spans.size(); span++) {
        reused += flipToUsed(spans.startPage(span), spans.endPage(span));
      }
      ownCounts().addReused(reused);
      return true;
    } finally {
      gate.leave();
    }
  }

  /** Whether every page is AVAILABLE or USED. Inside the gate that stays so. */
  private boolean allHeld(int startPage, int endPage) {
    return pages.areResident(startPage, endPage) && table.allHeldAcquire(startPage, endPage);
  }

  private int flipToUsed(int startPage, int endPage) {
    PageTable words = table;
    int flipped = 0;
    long last = PageWord.USED_WORD;
    boolean alike = false;
    for (int page = startPage; page < endPage; page++) {
      // Pages that were stopped by one call have one stamp: after two alike the third is not read
      // before it is tried. A wrong guess costs one failed compare-and-set.
      long word = alike ? last : words.wordAcquire(page);
      for (int tries = 0; PageWord.state(word) != PageWord.USED && tries < MAX_TRIES; tries++) {
        long found = words.exchangeWord(page, word, PageWord.USED_WORD);
        if (found == word) {
          flipped++;
          break;
        }
        // RACE: somebody else used or stopped it; whichever, we start again from what we found.
        word = found;
      }
      alike = word == last && word != PageWord.USED_WORD;
      last = word;
    }
    return flipped;
  }

  /** The calling thread's counts. */
  private ThreadCounts.Cell ownCounts() {
    // RACE: threads overwrite each other's choice here, and read it plainly: a cell bears its owner
    // in a final field, so whoever finds another's looks up its own.
    ThreadCounts.Cell last = lastCounts;
    if (last.isOwn()) {
      return last;
    }
    ThreadCounts.Cell own = counters.own();
    lastCounts = own;
    return own;
  }

  private PageSpans allocateSlow(PageSpans spans) {
    enter();
    try {
      return new UseAllocation(this, spans).run();
    } finally {
      entries.leave();
    }
  }

  /**
   * Makes USED pages AVAILABLE. FREE pages stay FREE; AVAILABLE pages keep their place in the order
   * of reclaim. All pages of one call get one stamp. Never waits, frees nothing.
   *
   * @throws PageFailure.PastEnd if the range has no such pages; nothing has changed
   * @throws PageFailure.Closed if the range is closing
   */
  public void stopUsingRange(int startPage, int endPage) {
    if (startPage >= endPage) {
      checkOpen();
      return;
    }
    checkSpan(startPage, endPage);
    // ORDER: the clock is read before the first compare-and-set, so a stop that returned before
    // another was called has the smaller stamp. The eviction queue's exactness rests on it.
    long available = PageWord.available(shrinker.clock().nanos());
    ThreadCounts.Cell counts = ownCounts();
    try {
      counts.addStopped(flipToAvailable(startPage, endPage, available));
    } catch (IllegalStateException e) {
      throw closed(e);
    }
  }

  /** As {@link #stopUsingRange(int, int)}, for a set of pages. */
  public void stopUsingRange(PageSpans spans) {
    checkOpen();
    long available = PageWord.available(shrinker.clock().nanos());
    int stopped = 0;
    try {
      for (int span = 0; span < spans.size(); span++) {
        stopped += flipToAvailable(spans.startPage(span), spans.endPage(span), available);
      }
    } catch (IllegalStateException e) {
      throw closed(e);
    } finally {
      ownCounts().addStopped(stopped);
    }
  }

  private int flipToAvailable(int startPage, int endPage, long available) {
    PageTable words = table;
    int flipped = 0;
    for (int page = startPage; page < endPage; ) {
      // RACE: a bit that is set or cleared after this look: that use or reclaim ran at the same
      // time
      // as this call, which may as well have come first.
      long resident = pages.residentAround(page);
      int around = Math.min(endPage, (page | 63) + 1);
      for (; page < around; page++) {
        if ((resident & (1L << page)) != 0 && flipPageToAvailable(words, page, available)) {
          flipped++;
        }
      }
    }
    return flipped;
  }

  /** Starts from the one word an honest USED page has; most often that is what is found. */
  private static boolean flipPageToAvailable(PageTable words, int page, long available) {
    long word = PageWord.USED_WORD;
    for (int tries = 0; tries < MAX_TRIES; tries++) {
      long found = words.exchangeWord(page, word, available);
      if (found == word) {
        return true;
      }
      int state = PageWord.state(found);
      // A resident page with a FREE word is in the middle of an allocation: not USED yet.
      if (state == PageWord.AVAILABLE || state == PageWord.FREE) {
        return false;
      }
      word = found;
    }
    return false;
  }

  /**
   * Fills {@code target} with bytes of USED pages.
   *
   * @param offset bytes from the start of the range, unsigned
   * @throws PageFailure.PastEnd if the range has not that many bytes
   * @throws PageFailure.NotUsed if a byte's page is not USED; nothing was copied
   * @throws PageFailure.Closed if the range is closing
   */
  public void read(long offset, ByteBuffer target) {
    int length = target.remaining();
    enter();
    try {
      if (checkBytes("Read", offset, length)) {
        file.read(offset, target);
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      entries.leave();
    }
  }

  /**
   * Copies {@code source} into USED pages.
   *
   * @param offset bytes from the start of the range, unsigned
   * @throws PageFailure.PastEnd if the range has not that many bytes
   * @throws PageFailure.NotUsed if a byte's page is not USED; nothing was written
   * @throws PageFailure.Closed if the range is closing
   */
  public void write(long offset, ByteBuffer source) {
    int length = source.remaining();
    enter();
    try {
      if (checkBytes("Write", offset, length)) {
        try {
          file.write(offset, source);
        } finally {
          punchWhatCameBack(offset, length);
        }
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      entries.leave();
    }
  }

  /**
   * Writes zeros into USED pages; they stay resident.
   *
   * @param offset bytes from the start of the range, unsigned
   * @param length bytes, unsigned
   * @throws PageFailure as {@link #write} does
   */
  public void fillZero(long offset, long length) {
    enter();
    try {
      if (checkBytes("FillZero", offset, length)) {
        try {
          file.writeZeros(offset, length);
        } finally {
          punchWhatCameBack(offset, length);
        }
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      entries.leave();
    }
  }

  /** Whether there are bytes to copy; every page of them is in the range and USED. */
  private boolean checkBytes(String verb, long offset, long length) {
    if (length == 0) {
      return false;
    }
    long dataBytes = (long) pageCount * pageSize;
    if (length < 0 || offset < 0 || length > dataBytes || offset > dataBytes - length) {
      throw PageFailure.PastEnd.ofBytes(offset, length, dataBytes);
    }
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      long word = table.wordAcquire(page);
      PageState state =
          !pages.isResident(page) || PageWord.state(word) == PageWord.FREE
              ? PageState.FREE
              : PageWord.state(word) == PageWord.AVAILABLE ? PageState.AVAILABLE : PageState.USED;
      if (state != PageState.USED) {
        throw new PageFailure.NotUsed(verb, page, state.name());
      }
    }
    return true;
  }

  /**
   * Punches pages that a write gave memory to because they were stopped and reclaimed under it.
   *
   * <p>ORDER: a reclaim makes the word FREE, punches, then clears the bit. If our write came after
   * its punch, we see the word FREE here, or the bit clear, or the page is in use again and its
   * memory is accounted for.
   */
  private void punchWhatCameBack(long offset, long length) throws SystemCallException {
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      if (pages.isResident(page) && PageWord.state(table.wordAcquire(page)) != PageWord.FREE) {
        continue;
      }
      pages.lock.lock();
      try {
        pages.punchWhereClear(page, page + 1);
      } finally {
        pages.lock.unlock();
      }
    }
  }

  private int startPage(long offset) {
    return (int) (offset / pageSize);
  }

  private int endPage(long offset, long length) {
    return (int) ((offset + length - 1) / pageSize) + 1;
  }

  /**
   * The state of each page of a span, at some moment during the call.
   *
   * @throws PageFailure.PastEnd if the range has no such pages
   * @throws PageFailure.Closed if the range is closing
   */
  public PageState[] states(int startPage, int endPage) {
    if (startPage >= endPage) {
      checkOpen();
      return new PageState[0];
    }
    checkSpan(startPage, endPage);
    enter();
    try {
      PageState[] states = new PageState[endPage - startPage];
      for (int page = startPage; page < endPage; page++) {
        states[page - startPage] = state(page);
      }
      return states;
    } finally {
      entries.leave();
    }
  }

  /** Counts pages by state; a closing range has none. */
  public PageCounts counts() {
    if (!entries.tryEnter()) {
      return new PageCounts(0, 0, 0, 0);
    }
    try {
      int free = 0;
      int available = 0;
      int contradictions = 0;
      for (int page = 0; page < pageCount; page++) {
        if (!pages.isResident(page)) {
          free++;
          continue;
        }
        int state = PageWord.state(table.wordAcquire(page));
        if (state == PageWord.AVAILABLE) {
          available++;
        } else if (state != PageWord.USED) {
          contradictions++;
        }
      }
      return new PageCounts(free, available, pageCount - free - available, contradictions);
    } finally {
      entries.leave();
    }
  }

  private PageState state(int page) {
    if (!pages.isResident(page)) {
      return PageState.FREE;
    }
    return PageWord.state(table.wordAcquire(page)) == PageWord.AVAILABLE
        ? PageState.AVAILABLE
        : PageState.USED;
  }

  /** The range's public number. */
  public long id() {
    return id;
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

  /** Pages of memory found that the server had not given, since the range was registered. */
  public long strays() {
    return pages.strays();
  }

  /** Whether the range is closing or closed. */
  public boolean isClosed() {
    return entries.isShut();
  }

  /**
   * Ends the range and gives back all its memory, also where others still hold the file. Waits for
   * whoever is inside; later calls, here or elsewhere, see a closed range. Idempotent. Not for
   * threads that serve RPCs.
   */
  @Override
  public void close() {
    end(true);
  }

  /**
   * Ends the range and leaves its bytes to those who have mapped the file: for a server that stops.
   * Else as {@link #close}.
   */
  public void closeKeepingBytes() {
    end(false);
  }

  private void end(boolean punch) {
    if (!entries.shutAndAwait()) {
      return;
    }
    shrinker.remove(this);
    new SharedFileHeader(file.header()).closeRelease();
    int resident = pages.count();
    file.close(punch);
    budget.release((long) resident + file.layout().bookkeepingPages());
    counters.closed(resident);
  }

  private void checkSpan(int startPage, int endPage) {
    checkOpen();
    if (startPage < 0 || endPage > pageCount) {
      throw PageFailure.PastEnd.ofPages(startPage, endPage, pageCount);
    }
  }

  private void checkOpen() {
    if (entries.isShut()) {
      throw new PageFailure.Closed();
    }
  }

  private void enter() {
    if (!entries.tryEnter()) {
      throw new PageFailure.Closed();
    }
  }

  /** What an access to the mapping that came after its end means. */
  private PageFailure closed(IllegalStateException e) {
    if (!entries.isShut()) {
      throw e;
    }
    return new PageFailure.Closed();
  }

  // What the other rooms of this package reach for.

  ResidentPages pages() {
    return pages;
  }

  PageTable table() {
    return table;
  }

  PageBudget budget() {
    return budget;
  }

  Shrinker shrinker() {
    return shrinker;
  }

  ReclaimGate gate() {
    return gate;
  }

  Entries entries() {
    return entries;
  }

  PageFile file() {
    return file;
  }

  @Override
  public String toString() {
    return "ShrinkablePageRange[id=" + id + ", pages=" + pageCount + "]";
  }
}
