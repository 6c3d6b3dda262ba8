package dev.pagetide.server.page;

import dev.pagetide.server.budget.AllocationQueue;
import dev.pagetide.server.budget.BudgetContext;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimRequest;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.budget.Reservations;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Takes AVAILABLE pages back, over all ranges of a server. The pages that became AVAILABLE first go
 * first.
 *
 * <p>Thread-safe: scans may run at the same time as other scans and as any method of a range. A
 * scan holds no lock of its own while it works, waits for no range, and never takes a USED page.
 */
public final class Shrinker {
  private final PageContext context;
  private final ReclaimConfig config;
  private final LiveRanges ranges;
  private final ClientReports clientReports;
  private final AllocationQueue allocationQueue;

  /** Called after a range was added. */
  private volatile Runnable rangeAdded = () -> {};

  /**
   * A shrinker without ranges.
   *
   * @param budget the whole server's budget: the root
   */
  public Shrinker(PageBudget budget, PageClock clock, PageObserver observer) {
    this(budget, clock, observer, ReclaimConfig.NONE);
  }

  /** As above, with the configuration that says when memory is taken ahead of need. */
  public Shrinker(PageBudget budget, PageClock clock, PageObserver observer, ReclaimConfig config) {
    this(budget, clock, observer, config, HugePages.NONE);
  }

  /** As above, on a host that may force huge pages on shared memory, now or later. */
  public Shrinker(
      PageBudget budget,
      PageClock clock,
      PageObserver observer,
      ReclaimConfig config,
      HugePages hugePages) {
    int pageSize = PageFileMaker.MEMFD.pageSize();
    this.context =
        new PageContext(budget, clock, observer, new PageCounters(), hugePages, pageSize);
    this.config = config;
    this.clientReports = new ClientReports(clock);
    this.ranges = new LiveRanges(context, config);
    this.allocationQueue =
        AllocationQueue.over(new BudgetContext(budget, config, clock, observer, pageSize), ranges);
  }

  /** How many pages are AVAILABLE in all ranges: the number that a scan could reclaim. */
  public long count() {
    return count(context.budget());
  }

  /** How many pages are AVAILABLE in the ranges charged to {@code scope} or below it. */
  public long count(PageBudget scope) {
    return LiveRanges.available(ranges.within(scope));
  }

  /**
   * Reclaims the {@code pages} oldest AVAILABLE pages, or all if there are fewer. At rest exactly
   * {@code min(pages, count())} are reclaimed. Pages of a busy range are skipped, and do not count
   * towards {@code pages}.
   */
  public ScanResult scan(long pages) {
    return scan(pages, context.budget());
  }

  /** As {@link #scan(long)}, only in the ranges charged to {@code scope} or below it. */
  public ScanResult scan(long pages, PageBudget scope) {
    return scan(pages, scope, ReclaimTrigger.REQUEST);
  }

  /** As {@link #scan(long)}, counted under the given trigger. */
  public ScanResult scan(long pages, ReclaimTrigger trigger) {
    return scan(pages, context.budget(), trigger);
  }

  private ScanResult scan(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return scan(ReclaimRequest.oldest(pages, scope, trigger));
  }

  /**
   * Reclaims pages ahead of need because the budget is short. First takes pages of ranges above
   * their fair share, down to the share, and then the oldest pages of all ranges. Spares pages that
   * the other ranges stopped within {@code --protect-recent}, also if no range is above its share.
   * Otherwise a range that takes the freed memory could drive the others below their share.
   */
  ScanResult scanFairly(long pages, ReclaimTrigger trigger) {
    return scan(ReclaimRequest.fair(pages, context.budget(), trigger));
  }

  /**
   * Reclaims pages ahead of need because a budget is short. For the server's budget, as {@link
   * #scanFairly}. For a uid's budget, takes the oldest pages of the uid's ranges alone, and also
   * spares pages that were stopped within {@code --protect-recent}.
   */
  ScanResult scanAhead(long pages, PageBudget scope) {
    return scope == context.budget()
        ? scanFairly(pages, ReclaimTrigger.WATERMARK)
        : scan(pages, scope, ReclaimTrigger.WATERMARK);
  }

  private ScanResult scan(ReclaimRequest request) {
    ScanResult result = ranges.scan(request);
    if (result.reclaimed() > 0) {
      allocationQueue.memoryCameBack();
    }
    return result;
  }

  /**
   * Finds memory in a range's file that the server did not give, and takes it, as each sweep does
   * in every range. Leaves a busy or closing range alone. Not for threads that serve RPCs.
   */
  public void audit(ShrinkablePageRange range) {
    StrayAudit.run(range);
  }

  /** The ranges that have not ended. */
  LiveRanges liveRanges() {
    return ranges;
  }

  /**
   * Before a request is refused because the kernel refused memory: takes strays, which the kernel
   * counts. Returns whether that is worth trying again.
   */
  boolean takesStrays() {
    boolean taken = ranges.takesStrays(() -> false);
    if (taken) {
      allocationQueue.memoryCameBack();
    }
    return taken;
  }

  /** Sets what is called after a range was added, on the thread that added it. */
  void whenRangeAdded(Runnable told) {
    rangeAdded = told;
  }

  void add(ShrinkablePageRange range) {
    ranges.add(range);
    clientReports.add(range);
    rangeAdded.run();
  }

  /** Removes a range that is ending. No thread is inside, and its file is still mapped. */
  void remove(ShrinkablePageRange range) {
    try {
      clientReports.end(range);
    } finally {
      try {
        ranges.remove(range);
      } finally {
        allocationQueue.endOf(range);
      }
    }
  }

  /** Notes that a range has ended and has given back all its memory. */
  void ended(int residentPages) {
    context.counters().closed(residentPages);
    try {
      context.observer().closed(residentPages);
    } finally {
      allocationQueue.memoryCameBack();
    }
  }

  /** Bytes in a page. */
  public int pageSize() {
    return context.pageSize();
  }

  /**
   * Pages of all ranges by state, and the fullest uid. Walks all page tables, which takes some ms
   * for a million pages.
   */
  public PageTotals totals() {
    return PageTotals.of(ranges.all());
  }

  /**
   * Pages of all ranges by state. Walks all page tables, which takes some ms for a million pages.
   */
  public PageCounts counts() {
    return totals().pages();
  }

  /** The sum, over all ranges, of one past the highest page that ever held memory. */
  public long highWatermarkPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.all()) {
      pages += range.highWatermark();
    }
    return pages;
  }

  /** Pages that the headers and page tables of all ranges take. */
  public long bookkeepingPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.all()) {
      pages += range.file().layout().bookkeepingPages();
    }
    return pages;
  }

  /** The counters of what happened to the pages of all ranges so far. */
  public PageCounters counters() {
    return context.counters();
  }

  /** The counts that clients report of their own actions, as far as they can be true. */
  public ClientReports clientReports() {
    return clientReports;
  }

  /**
   * Calls {@code told} after each reservation that left the charge of the server, or of the uid,
   * above its high watermark. It gets the budget that is above.
   */
  void whenAboveHighWatermark(Consumer<PageBudget> told) {
    reservations().whenAboveHigh(told);
  }

  /** The server's budget and those of uids whose charge is above their high watermark. */
  Set<PageBudget> aboveHighWatermark() {
    Set<PageBudget> above = new LinkedHashSet<>();
    PageBudget server = context.budget();
    if (server.chargedPages() > config.highWatermarkPages(server)) {
      above.add(server);
    }
    for (ShrinkablePageRange range : ranges.all()) {
      PageBudget uid = range.budget().shared();
      if (uid.isLimitOfItsOwn() && uid.chargedPages() > config.highWatermarkPages(uid)) {
        above.add(uid);
      }
    }
    return above;
  }

  /** The charge of the whole server, in pages. */
  public long chargedPages() {
    return context.budget().chargedPages();
  }

  /** The configuration that says when memory is taken ahead of need. */
  public ReclaimConfig config() {
    return config;
  }

  /** The queue of requests that wait for memory. */
  public AllocationQueue allocationQueue() {
    return allocationQueue;
  }

  /** The reservations. A range gives memory to a page only after it has reserved it here. */
  Reservations reservations() {
    return allocationQueue.reservations();
  }

  /** What all ranges share. */
  PageContext context() {
    return context;
  }

  /** The clock that stamps are read from. */
  public PageClock clock() {
    return context.clock();
  }
}
