package dev.pagetide.server.page;

import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Comparator;
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

  /**
   * Where those above their fair share hold no more than this, 40 us of sweeping, their candidates
   * are looked for anew whenever others have come to be above theirs. Where they hold more, those
   * others are seen when the candidates are used up: who pays first is right at every page, and
   * only the order among those who do is as old as the last sweep.
   */
  private static final int MAX_RESIDENT_FOR_ORDER = 1 << 14;

  /** How many holders a refusal tells of. */
  private static final int NAMED_HOLDERS = 3;

  /** For {@link EvictionQueue#take}: no word is above it. */
  private static final long ANY_AGE = -1;

  private final ConcurrentHashMap<Long, ShrinkablePageRange> ranges = new ConcurrentHashMap<>();
  private final PageBudget budget;
  private final PageClock clock;
  private final PageObserver observer;
  private final PageCounters counters = new PageCounters();
  private final ClientReports clientReports;
  private final ReclaimTerms terms;
  private final EvictionQueue queue;

  /** Candidates of ranges above their fair share, who pay first while the budget is short. */
  private final EvictionQueue excessQueue;

  private final Reservations reservations;
  private final WaitingLine waitingLine;

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
    this(budget, clock, observer, ReclaimTerms.NONE);
  }

  /** As above, with terms of when memory is taken ahead of need. */
  public Shrinker(PageBudget budget, PageClock clock, PageObserver observer, ReclaimTerms terms) {
    this.budget = budget;
    this.clock = clock;
    this.observer = observer;
    this.terms = terms;
    this.clientReports = new ClientReports(clock);
    this.queue = new EvictionQueue(clock, observer);
    this.excessQueue = new EvictionQueue(clock, observer);
    this.reservations = new Reservations(this, budget, terms);
    this.waitingLine = new WaitingLine(this, reservations);
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

  ScanResult scan(ReclaimRequest request) {
    if (request.pages() <= 0) {
      return ScanResult.NOTHING;
    }
    long start = clock.nanos();
    List<ShrinkablePageRange> scanned = rangesWithin(request.scope());
    Scan lent = spareScan.getAndSet(null);
    Scan scan = lent == null ? new Scan() : lent;
    scan.begin(request.trigger());
    FairShare share = FairShare.of(budget, scanned.size());
    List<ShrinkablePageRange> above = request.fair() ? share.above(scanned) : List.of();
    boolean sparesRecent = request.fair() && !request.withinShare() && terms.protectNanos() > 0;
    boolean swept =
        (above.isEmpty() && !sparesRecent)
            ? takeOldestOrAll(request, scanned, start, scan)
            : takeFairly(request, scanned, above, share, start, scan);
    ScanResult result = scan.tally().result();
    scan.begin(request.trigger()); // lets go of what it knew of ranges
    spareScan.set(scan);
    audit(scanned, swept ? scanned.size() : AUDITED_WITHOUT_SWEEP);
    observer.scanned(request.trigger(), result, clock.nanos() - start);
    if (result.reclaimed() > 0) {
      waitingLine.memoryCameBack();
    }
    return result;
  }

  /** Takes the oldest pages of some ranges, and tells whether it walked through their tables. */
  private boolean takeOldestOrAll(
      ReclaimRequest request, List<ShrinkablePageRange> scanned, long start, Scan scan) {
    long pages = request.pages();
    long resident = residentPages(scanned);
    // What takeAll leaves is stamped after the scan began: that needs the order again.
    if (pages >= resident && scan.takeAll(scanned, pages, start) == 0) {
      return true;
    }
    boolean whole = request.scope() == budget;
    if (whole) {
      return takeOldest(pages, scanned, queue, mostQueued(pages, resident), ANY_AGE, scan) > 0;
    }
    return takeOldestOfPart(pages, scanned, scan) > 0;
  }

  private int takeOldestOfPart(long pages, List<ShrinkablePageRange> part, Scan scan) {
    int most = (int) Math.min(MAX_QUEUED, Math.max(MIN_QUEUED_IN_PART, pages));
    return takeOldest(pages, part, new EvictionQueue(clock, observer), most, ANY_AGE, scan);
  }

  /**
   * Takes what ranges hold above their fair share; then, of all, what has not been used for a
   * while; and then, for who stays within its share, the oldest there is, and for who does not, its
   * own pages.
   */
  private boolean takeFairly(
      ReclaimRequest request,
      List<ShrinkablePageRange> scanned,
      List<ShrinkablePageRange> above,
      FairShare share,
      long start,
      Scan scan) {
    long excess = 0;
    for (ShrinkablePageRange range : above) {
      excess += share.excess(range);
    }
    long pages = request.pages();
    long residentAbove = residentPages(above);
    boolean worthTheOrder = residentAbove <= MAX_RESIDENT_FOR_ORDER;
    if (worthTheOrder && !excessQueue.sweptAll(above)) {
      excessQueue.clear();
    }
    scan.onlyBeyond(share);
    int looks =
        takeOldest(
            Math.min(pages, excess),
            above,
            excessQueue,
            mostQueued(pages, residentAbove),
            ANY_AGE,
            scan);
    if (worthTheOrder && scan.leftShares()) {
      excessQueue.clear();
    }
    scan.onlyBeyond(null);
    int most = mostQueued(pages, residentPages(scanned));
    looks += takeOldest(pages, scanned, queue, most, youngestUnprotected(start), scan);
    PageBudget asker = request.asker();
    if (asker != null && !request.withinShare()) {
      looks += takeOldestOfPart(pages, rangesWithin(asker), scan);
    } else if (asker != null) {
      looks += takeOldest(pages, scanned, queue, most, ANY_AGE, scan);
    }
    return looks > 0;
  }

  /** The word of a page whose stop is just no longer recent. */
  private long youngestUnprotected(long nowNanos) {
    long protectNanos = terms.protectNanos();
    return protectNanos == 0 ? ANY_AGE : PageWord.available(Math.max(0, nowNanos - protectNanos));
  }

  private static long residentPages(List<ShrinkablePageRange> ranges) {
    long resident = 0;
    for (ShrinkablePageRange range : ranges) {
      resident += range.pages().count();
    }
    return resident;
  }

  private static int mostQueued(long pages, long resident) {
    long most = Math.max(pages, resident / QUEUED_SHARE);
    return Math.clamp(most, MIN_QUEUED, MAX_QUEUED);
  }

  /**
   * Takes oldest pages until the scan has {@code pages}, none younger than a word, and tells how
   * often it had to look for candidates.
   */
  private static int takeOldest(
      long pages,
      List<ShrinkablePageRange> scanned,
      EvictionQueue from,
      int most,
      long latestWord,
      Scan scan) {
    ScanTally tally = scan.tally();
    int looks = 0;
    int sweeps = 0;
    boolean onlyLater = false;
    boolean full = false;
    boolean leftSomeOut = false;
    long reclaimedBefore = 0;
    while (tally.reclaimed() < pages) {
      if (scan.takeFrom(from, pages - tally.reclaimed(), latestWord)) {
        continue;
      }
      if (latestWord != ANY_AGE && from.size() > 0) {
        if (!from.onlyLaterIsLeft()) {
          break; // what is queued is too young, and nothing else is older
        }
        from.clear(); // a liar's pages, behind which others may have grown old
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
      boolean anyAge = latestWord == ANY_AGE; // else what is stamped in the future is too young
      boolean withLater = anyAge && (onlyLater || sweeps == MAX_SWEEPS - 1);
      leftSomeOut |= !scan.busyRanges().isEmpty();
      reclaimedBefore = tally.reclaimed();
      looks++;
      EvictionQueue.Sweep sweep = from.sweep(scanned, scan.busyRanges(), most, withLater);
      full = sweep.queued() >= most;
      if (!full) {
        sweeps++; // one that filled the queue has left some behind, and is none of the three
      }
      if (sweep.queued() == 0) {
        if (withLater || !anyAge || sweep.later() == 0) {
          break;
        }
        onlyLater = true;
      }
    }
    if (leftSomeOut) {
      // What is queued was chosen without the ranges that we left out, which may hold older pages.
      from.clear();
    }
    scan.putBackSkipped(from); // those of a queue that was cleared are dropped
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
      excessQueue.clear();
    }
    waitingLine.end(range);
  }

  /** A range has ended, and given back all it held. */
  void ended(int residentPages) {
    counters.closed(residentPages);
    observer.closed(residentPages);
    waitingLine.memoryCameBack();
  }

  List<ShrinkablePageRange> rangesWithin(PageBudget scope) {
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

  /** Who holds what is charged to a budget. */
  RefusalFacts.Holders largestHolders(PageBudget scope) {
    List<ShrinkablePageRange> within = rangesWithin(scope);
    List<Long> largest =
        within.stream()
            .map(range -> range.budget().chargedPages())
            .sorted(Comparator.reverseOrder())
            .limit(NAMED_HOLDERS)
            .toList();
    return new RefusalFacts.Holders(within.size(), largest);
  }

  /** Bytes in a page, for messages. */
  int pageSize() {
    for (ShrinkablePageRange range : ranges.values()) {
      return range.pageSize();
    }
    return PageFileMaker.MEMFD.pageSize();
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

  /** Tells {@code told} whenever memory was reserved and the charge is above the high watermark. */
  public void whenAboveHighWatermark(Runnable told) {
    reservations.whenAboveHigh(told);
  }

  /** What is charged to the whole server, in pages. */
  public long chargedPages() {
    return budget.chargedPages();
  }

  /** When memory is taken ahead of need. */
  public ReclaimTerms terms() {
    return terms;
  }

  /** Who waits for memory. */
  public WaitingLine waitingLine() {
    return waitingLine;
  }

  /** The way to memory: nothing is given that was not reserved. */
  Reservations reservations() {
    return reservations;
  }

  /** What each range may hold now before it pays first. */
  FairShare fairShare() {
    return FairShare.of(budget, ranges.size());
  }

  PageClock clock() {
    return clock;
  }

  PageObserver observer() {
    return observer;
  }
}
