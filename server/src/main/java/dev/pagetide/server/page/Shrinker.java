package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What takes AVAILABLE pages back, those first that became AVAILABLE first, over all ranges of a
 * server.
 *
 * <p>Thread-safe: scans may run at the same time as each other and as everything a range does. A
 * scan holds no lock of its own while it works, waits for no range, and never takes a USED page.
 */
public final class Shrinker {
  /**
   * How many ranges a scan audits that found its candidates queued: some microseconds beside its
   * punches, and all ranges are seen in turn while one sweep's queue lasts.
   */
  private static final int AUDITED_WITHOUT_SWEEP = 4;

  /** How many holders a refusal tells of. */
  private static final int NAMED_HOLDERS = 3;

  private final ConcurrentHashMap<Long, ShrinkablePageRange> ranges = new ConcurrentHashMap<>();
  private final PageBudget budget;
  private final PageClock clock;
  private final PageObserver observer;
  private final PageCounters counters = new PageCounters();
  private final ClientReports clientReports;
  private final ReclaimConfig config;
  private final HugePages hugePages;
  private final ReclaimOrder order;
  private final Reservations reservations;
  private final AllocationQueue allocationQueue;

  /** Which ranges a scan without a sweep audits: those after the ones audited so before. */
  private final AtomicInteger nextAudit = new AtomicInteger();

  /** The scan that ended last, to be begun again; whoever finds none makes a new one. */
  private final AtomicReference<@Nullable Scan> spareScan = new AtomicReference<>();

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
    this.hugePages = hugePages;
    this.budget = budget;
    this.clock = clock;
    this.observer = observer;
    this.config = config;
    this.clientReports = new ClientReports(clock);
    this.order = new ReclaimOrder(budget, clock, observer, config);
    this.reservations = new Reservations(this, budget, config);
    this.allocationQueue = new AllocationQueue(this, reservations);
  }

  /** Whether strays are clients' doing or the kernel's. */
  HugePages hugePages() {
    return hugePages;
  }

  /** How many pages are AVAILABLE in all ranges: what a scan could reclaim. */
  public long count() {
    return count(budget);
  }

  /** How many pages are AVAILABLE in the ranges charged to {@code scope} or below it. */
  public long count(PageBudget scope) {
    long available = 0;
    for (ShrinkablePageRange range : rangesWithin(scope)) {
      available += range.counts().available();
    }
    return available;
  }

  /**
   * Reclaims the {@code pages} oldest AVAILABLE pages, or all if there are fewer. At rest exactly
   * {@code min(pages, count())} are reclaimed. Pages of a range that is busy are skipped and do not
   * use up the scan.
   */
  public ScanResult scan(long pages) {
    return scan(pages, budget);
  }

  /** As {@link #scan(long)}, only in the ranges charged to {@code scope} or below it. */
  public ScanResult scan(long pages, PageBudget scope) {
    return scan(pages, scope, ReclaimTrigger.REQUEST);
  }

  /** As {@link #scan(long)}, for a reason that is counted. */
  public ScanResult scan(long pages, ReclaimTrigger trigger) {
    return scan(pages, budget, trigger);
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
    return scan(ReclaimRequest.fair(pages, budget, trigger));
  }

  /**
   * Reclaims pages ahead of need because a budget is short: the server's as {@link #scanFairly}
   * does; of a uid's, whose ranges alone are looked at, the oldest, but what was stopped within
   * {@code --protect-recent} is spared, too.
   */
  public ScanResult scanAhead(long pages, PageBudget scope) {
    return scope == budget
        ? scanFairly(pages, ReclaimTrigger.WATERMARK)
        : scan(pages, scope, ReclaimTrigger.WATERMARK);
  }

  ScanResult scan(ReclaimRequest request) {
    if (request.pages() <= 0) {
      return ScanResult.NOTHING;
    }
    // ORDER: the clock, then the ranges: what is stamped by then lies in a range that is listed.
    long start = clock.passedNanos();
    List<ShrinkablePageRange> scanned = rangesWithin(request.scope());
    Scan lent = spareScan.getAndSet(null);
    Scan scan = lent == null ? new Scan() : lent;
    scan.begin(request.trigger());
    boolean swept = order.take(request, this::rangesWithin, scanned, start, scan);
    ScanResult result = scan.result();
    scan.begin(request.trigger()); // lets go of what it knew of ranges
    spareScan.set(scan);
    audit(scanned, swept ? scanned.size() : AUDITED_WITHOUT_SWEEP);
    observer.scanned(request.trigger(), result, clock.nanos() - start);
    if (result.reclaimed() > 0) {
      allocationQueue.memoryCameBack();
    }
    return result;
  }

  /**
   * Audits {@code most} ranges, or all if they are fewer, beginning with those whose turn it is.
   */
  private void audit(List<ShrinkablePageRange> audited, int most) {
    int count = Math.min(most, audited.size());
    int first = count == audited.size() ? 0 : nextAudit.getAndAdd(count);
    for (int i = 0; i < count; i++) {
      StrayAudit.run(audited.get(Math.floorMod(first + i, audited.size())));
    }
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
    if (ranges.putIfAbsent(range.id(), range) != null) {
      throw new IllegalStateException("range id " + range.id() + " was used before");
    }
    clientReports.add(range);
  }

  /** A range ends: nobody is inside, and its file is still mapped. */
  void remove(ShrinkablePageRange range) {
    try {
      clientReports.end(range);
    } finally {
      ranges.remove(range.id(), range);
      try {
        order.remove(range);
        if (ranges.isEmpty()) {
          order.clear();
        }
      } finally {
        allocationQueue.end(range);
      }
    }
  }

  /** A range has ended, and given back all it held. */
  void ended(int residentPages) {
    counters.closed(residentPages);
    try {
      observer.closed(residentPages);
    } finally {
      allocationQueue.memoryCameBack();
    }
  }

  List<ShrinkablePageRange> rangesWithin(PageBudget scope) {
    return scope == budget
        ? new ArrayList<>(ranges.values())
        : ReclaimOrder.within(scope, ranges.values());
  }

  /** Who holds what is charged to a budget. */
  NoMemoryDetails.Holders largestHolders(PageBudget scope) {
    List<ShrinkablePageRange> within = rangesWithin(scope);
    List<Long> largest =
        within.stream()
            .map(range -> range.budget().chargedPages())
            .sorted(Comparator.reverseOrder())
            .limit(NAMED_HOLDERS)
            .toList();
    return new NoMemoryDetails.Holders(within.size(), largest);
  }

  /** Bytes in a page. */
  public int pageSize() {
    for (ShrinkablePageRange range : ranges.values()) {
      return range.pageSize();
    }
    return PageFileMaker.MEMFD.pageSize();
  }

  /** How all pages stand, and the fullest uid. Walks all page tables: some ms a million pages. */
  public PageTotals totals() {
    return PageTotals.of(ranges.values());
  }

  /** Pages of all ranges by state. Walks all page tables: some ms a million pages. */
  public PageCounts counts() {
    return totals().pages();
  }

  /** Pages of all ranges up to the highest of each that ever held memory. */
  public long highWatermarkPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.values()) {
      pages += range.highWatermark();
    }
    return pages;
  }

  /** Pages that the headers and tables of all ranges take. */
  public long bookkeepingPages() {
    long pages = 0;
    for (ShrinkablePageRange range : ranges.values()) {
      pages += range.file().layout().bookkeepingPages();
    }
    return pages;
  }

  /** What every range's pages did so far. */
  public PageCounters counters() {
    return counters;
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
    reservations.whenAboveHigh(told);
  }

  /** The server's budget and those of uids whose charge is above their high watermark. */
  public Set<PageBudget> aboveHighWatermark() {
    Set<PageBudget> above = new LinkedHashSet<>();
    if (budget.chargedPages() > config.highWatermarkPages(budget)) {
      above.add(budget);
    }
    for (ShrinkablePageRange range : ranges.values()) {
      PageBudget uid = range.budget().shared();
      if (uid.isLimitOfItsOwn() && uid.chargedPages() > config.highWatermarkPages(uid)) {
        above.add(uid);
      }
    }
    return above;
  }

  /** What is charged to the whole server, in pages. */
  public long chargedPages() {
    return budget.chargedPages();
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
    return reservations;
  }

  /** What holds the pages that one opening has waited for, until its range's budget does. */
  PageBudget budgetOfOpening() {
    return budget.child("--max-resident-bytes", budget.limitPages());
  }

  /** What each range may hold now before it pays first. */
  FairShare fairShare() {
    return FairShare.of(budget, ranges.size());
  }

  public PageClock clock() {
    return clock;
  }

  PageObserver observer() {
    return observer;
  }
}
