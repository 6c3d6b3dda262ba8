package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
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
   * How often one scan looks for candidates: once for what is there, once for what others changed
   * under it, once for words stamped in the future.
   */
  private static final int MAX_SWEEPS = 3;

  /** The fewest candidates a sweep of the whole server queues, so that small scans share it. */
  private static final int MIN_QUEUED = 1024;

  /** The fewest a sweep of a part of the server queues: enough to tell bad luck from sabotage. */
  private static final int MIN_QUEUED_IN_PART = 64;

  /** And this share of what is resident. */
  private static final int QUEUED_SHARE = 16;

  /** The most candidates one sweep queues: 64 MiB of longs at the most while it gathers. */
  private static final int MAX_QUEUED = 1 << 21;

  /**
   * How many ranges a scan audits that found its candidates queued: some microseconds beside its
   * punches, and all ranges are seen in turn while one sweep's queue lasts.
   */
  private static final int AUDITED_WITHOUT_SWEEP = 4;

  /** How often one reservation reclaims before it gives up to those who are quicker. */
  private static final int MAX_RECLAIMS = 64;

  private final ConcurrentHashMap<Long, ShrinkablePageRange> ranges = new ConcurrentHashMap<>();
  private final PageBudget budget;
  private final PageClock clock;
  private final PageObserver observer;
  private final PageCounters counters = new PageCounters();
  private final ClientReports clientReports;
  private final EvictionQueue queue;

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
    this.budget = budget;
    this.clock = clock;
    this.observer = observer;
    this.clientReports = new ClientReports(clock);
    this.queue = new EvictionQueue(clock, observer);
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
    if (pages <= 0) {
      return ScanResult.NOTHING;
    }
    long start = clock.nanos();
    List<ShrinkablePageRange> scanned = rangesWithin(scope);
    long resident = 0;
    for (ShrinkablePageRange range : scanned) {
      resident += range.pages().count();
    }
    Scan lent = spareScan.getAndSet(null);
    Scan scan = lent == null ? new Scan() : lent;
    scan.begin();
    boolean swept = true;
    // What takeAll leaves is stamped after the scan began: that needs the order again.
    if (pages < resident || scan.takeAll(scanned, pages, start) > 0) {
      boolean whole = scope == budget;
      int most = (int) Math.min(MAX_QUEUED, Math.max(MIN_QUEUED_IN_PART, pages));
      if (whole) {
        most = (int) Math.min(MAX_QUEUED, Math.max(most, resident / QUEUED_SHARE));
        most = Math.max(most, MIN_QUEUED);
      }
      EvictionQueue from = whole ? queue : new EvictionQueue(clock, observer);
      swept = takeOldest(pages, scanned, from, most, scan) > 0;
    }
    ScanResult result = scan.tally().result();
    scan.begin(); // lets go of what it knew of ranges
    spareScan.set(scan);
    audit(scanned, swept ? scanned.size() : AUDITED_WITHOUT_SWEEP);
    observer.scanned(trigger, result, clock.nanos() - start);
    return result;
  }

  /** Takes the oldest pages, and tells how often it had to look for candidates. */
  private static int takeOldest(
      long pages, List<ShrinkablePageRange> scanned, EvictionQueue from, int most, Scan scan) {
    ScanTally tally = scan.tally();
    int looks = 0;
    int sweeps = 0;
    boolean onlyLater = false;
    boolean full = false;
    boolean leftSomeOut = false;
    long reclaimedBefore = 0;
    while (tally.reclaimed() < pages) {
      if (scan.takeFrom(from, pages - tally.reclaimed())) {
        continue;
      }
      if (full && tally.reclaimed() - reclaimedBefore < most / 2) {
        // A full queue gave little: a client that changes its words all the time, or a file that
        // cannot be punched, stands at the head. Look behind it, and not for ever.
        scan.leaveOutStubborn();
        sweeps++;
      }
      if (sweeps >= MAX_SWEEPS) {
        break;
      }
      boolean withLater = onlyLater || sweeps == MAX_SWEEPS - 1;
      leftSomeOut |= !scan.busyRanges().isEmpty();
      reclaimedBefore = tally.reclaimed();
      looks++;
      EvictionQueue.Sweep sweep = from.sweep(scanned, scan.busyRanges(), most, withLater);
      full = sweep.queued() >= most;
      if (!full) {
        sweeps++; // one that filled the queue has left some behind, and is none of the three
      }
      if (sweep.queued() == 0) {
        if (withLater || sweep.later() == 0) {
          break;
        }
        onlyLater = true;
      }
    }
    if (leftSomeOut) {
      // What is queued was chosen without the ranges that we left out, which may hold older pages.
      from.clear();
    } else {
      scan.putBackSkipped(from);
    }
    return looks;
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

  /**
   * Reserves budget for pages, reclaiming what is missing right then. Called holding no lock.
   *
   * @throws PageFailure.NoMemory if a limit stands in the way; nothing is reserved then
   */
  void reserve(PageBudget leaf, long pages) {
    for (int reclaims = 0; ; reclaims++) {
      PageBudget full = leaf.tryReserve(pages);
      if (full == null) {
        return;
      }
      PageBudget.Reading reading = full.reading();
      boolean hopeless = pages > reading.limitPages();
      long missing = pages - (reading.limitPages() - reading.chargedPages());
      if (hopeless
          || reclaims == MAX_RECLAIMS
          || (missing > 0 && scan(missing, full, ReclaimTrigger.BUDGET).reclaimed() == 0)) {
        refuse(leaf, pages, hopeless);
        return;
      }
    }
  }

  /** Refuses, unless there is room after all: others may have freed what we found no page for. */
  private void refuse(PageBudget leaf, long pages, boolean hopeless) {
    PageBudget full = leaf.tryReserve(pages);
    if (full != null) {
      throw new PageFailure.NoMemory(
          pages, full.reading(), count(full), pageSizeForMessages(), hopeless);
    }
  }

  private int pageSizeForMessages() {
    for (ShrinkablePageRange range : ranges.values()) {
      return range.pageSize();
    }
    return PageFileMaker.MEMFD.pageSize();
  }

  void add(ShrinkablePageRange range) {
    if (ranges.putIfAbsent(range.id(), range) != null) {
      throw new IllegalStateException("range id " + range.id() + " was used before");
    }
    clientReports.add(range);
  }

  /** A range ends: nobody is inside, and its file is still mapped. */
  void remove(ShrinkablePageRange range) {
    clientReports.end(range);
    ranges.remove(range.id(), range);
    if (ranges.isEmpty()) {
      queue.clear();
    }
  }

  private List<ShrinkablePageRange> rangesWithin(PageBudget scope) {
    if (scope == budget) {
      return new ArrayList<>(ranges.values());
    }
    List<ShrinkablePageRange> within = new ArrayList<>();
    for (ShrinkablePageRange range : ranges.values()) {
      if (range.budget().isWithin(scope)) {
        within.add(range);
      }
    }
    return within;
  }

  /** Pages of all ranges by state. Walks all page tables: some ms a million pages. */
  public PageCounts counts() {
    long free = 0;
    long available = 0;
    long used = 0;
    long contradictions = 0;
    for (ShrinkablePageRange range : ranges.values()) {
      PageCounts counts = range.counts();
      free += counts.free();
      available += counts.available();
      used += counts.used();
      contradictions += counts.contradictions();
    }
    return new PageCounts(free, available, used, contradictions);
  }

  /** What every range's pages did so far. */
  public PageCounters counters() {
    return counters;
  }

  /** What clients say they did themselves, as far as it can be believed. */
  public ClientReports clientReports() {
    return clientReports;
  }

  PageClock clock() {
    return clock;
  }

  PageObserver observer() {
    return observer;
  }
}
