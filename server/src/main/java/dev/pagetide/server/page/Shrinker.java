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
 * What takes AVAILABLE pages back, those first that became AVAILABLE first, over all ranges of a
 * server.
 *
 * <p>Thread-safe: scans may run at the same time as each other and as everything a range does. A
 * scan holds no lock of its own while it works, waits for no range, and never takes a USED page.
 */
public final class Shrinker {
  private final PageContext context;
  private final ReclaimConfig config;
  private final LiveRanges ranges;
  private final ClientReports clientReports;
  private final AllocationQueue allocationQueue;

  /**
   * A shrinker without ranges.
   *
   * @param budget the whole server's budget: the root
   */
  public Shrinker(PageBudget budget, PageClock clock, PageObserver observer) {
    this(budget, clock, observer, ReclaimConfig.NONE);
  }

  /** As above, with terms of when memory is taken ahead of need. */
  public Shrinker(PageBudget budget, PageClock clock, PageObserver observer, ReclaimConfig config) {
    this(budget, clock, observer, config, HugePages.NONE);
  }

  /** As above, on a host that may come to force huge pages on shared memory. */
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

  /** How many pages are AVAILABLE in all ranges: what a scan could reclaim. */
  public long count() {
    return count(context.budget());
  }

  /** How many pages are AVAILABLE in the ranges charged to {@code scope} or below it. */
  public long count(PageBudget scope) {
    return LiveRanges.available(ranges.within(scope));
  }

  /**
   * Reclaims the {@code pages} oldest AVAILABLE pages, or all if there are fewer. At rest exactly
   * {@code min(pages, count())} are reclaimed. Pages of a range that is busy are skipped and do not
   * use up the scan.
   */
  public ScanResult scan(long pages) {
    return scan(pages, context.budget());
  }

  /** As {@link #scan(long)}, only in the ranges charged to {@code scope} or below it. */
  public ScanResult scan(long pages, PageBudget scope) {
    return scan(pages, scope, ReclaimTrigger.REQUEST);
  }

  /** As {@link #scan(long)}, for a reason that is counted. */
  public ScanResult scan(long pages, ReclaimTrigger trigger) {
    return scan(pages, context.budget(), trigger);
  }

  private ScanResult scan(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return scan(ReclaimRequest.oldest(pages, scope, trigger));
  }

  /**
   * Reclaims pages ahead of need because the budget is short: oldest first, but ranges above their
   * fair share pay first, down to it, and what the others stopped within {@code --protect-recent}
   * is spared. (Where nobody is above, too: else whoever takes what was set free could drive the
   * others below their share.)
   */
  public ScanResult scanFairly(long pages, ReclaimTrigger trigger) {
    return scan(ReclaimRequest.fair(pages, context.budget(), trigger));
  }

  /**
   * Reclaims pages ahead of need because a budget is short: the server's as {@link #scanFairly}
   * does; of a uid's, whose ranges alone are looked at, the oldest, but what was stopped within
   * {@code --protect-recent} is spared, too.
   */
  public ScanResult scanAhead(long pages, PageBudget scope) {
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
   * Looks for memory in a range's file that the server did not give, and takes it, as each sweep
   * does in every range. A range that is busy or closing is left alone. Not for threads that serve
   * RPCs.
   */
  public void audit(ShrinkablePageRange range) {
    StrayAudit.run(range);
  }

  void add(ShrinkablePageRange range) {
    ranges.add(range);
    clientReports.add(range);
  }

  /** A range ends: nobody is inside, and its file is still mapped. */
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

  /** A range has ended, and given back all it held. */
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

  /** How all pages stand, and the fullest uid. Walks all page tables: some ms a million pages. */
  public PageTotals totals() {
    return PageTotals.of(ranges.all());
  }

  /** Pages of all ranges by state. Walks all page tables: some ms a million pages. */
  public PageCounts counts() {
    return totals().pages();
  }

  /** Pages of all ranges up to the highest of each that ever held memory. */
  public long highWatermarkPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.all()) {
      pages += range.highWatermark();
    }
    return pages;
  }

  /** Pages that the headers and tables of all ranges take. */
  public long bookkeepingPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.all()) {
      pages += range.file().layout().bookkeepingPages();
    }
    return pages;
  }

  /** What every range's pages did so far. */
  public PageCounters counters() {
    return context.counters();
  }

  /** What clients say they did themselves, as far as it can be believed. */
  public ClientReports clientReports() {
    return clientReports;
  }

  /**
   * Tells {@code told} whenever memory was reserved and the charge of the server, or of the uid, is
   * above its high watermark: which of the two.
   */
  public void whenAboveHighWatermark(Consumer<PageBudget> told) {
    reservations().whenAboveHigh(told);
  }

  /** The server's budget and those of uids whose charge is above their high watermark. */
  public Set<PageBudget> aboveHighWatermark() {
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

  /** What is charged to the whole server, in pages. */
  public long chargedPages() {
    return context.budget().chargedPages();
  }

  /** When memory is taken ahead of need. */
  public ReclaimConfig config() {
    return config;
  }

  /** Who waits for memory. */
  public AllocationQueue allocationQueue() {
    return allocationQueue;
  }

  /** The way to memory: nothing is given that was not reserved. */
  Reservations reservations() {
    return allocationQueue.reservations();
  }

  /** What its ranges have in common. */
  PageContext context() {
    return context;
  }

  /** What stamps are read from. */
  public PageClock clock() {
    return context.clock();
  }
}
