package dev.pagetide.server.page;

import dev.pagetide.server.budget.FairShare;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimRequest;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The order in which a scan takes pages: strictly the oldest first or, while the budget is short,
 * first from ranges above their fair share.
 *
 * <p>Thread-safe: scans share only the queues.
 */
/*
 * The order of a fair scan, and why:
 *
 * - First, what ranges hold above their fair share, oldest first, down to the share.
 * - Second, the pages of any range that were stopped longer ago than --protect-recent, oldest
 *   first, because idle memory belongs to all.
 * - Third, for a request that stays within its share, the oldest pages of all, because the share is
 *   its right. For a request that does not, only its own pages. Otherwise a range that has all its
 *   pages USED, and so has nothing to give up, would get pages that the others keep warm.
 *
 * Ahead of need the third step is left out, because the range that asks most would get the pages
 * that were freed.
 */
final class ReclaimOrder {
  /** The fewest candidates a sweep of the whole server queues, so that small scans share it. */
  private static final int MIN_QUEUED = 1024;

  /**
   * The fewest candidates a sweep of a part of the server queues: enough to tell chance from
   * sabotage.
   */
  private static final int MIN_QUEUED_IN_PART = 64;

  /** A sweep also queues at least one part in this many of the resident pages. */
  private static final int QUEUED_SHARE = 16;

  /** The most candidates that one sweep queues: at most 64 MiB of longs while it gathers. */
  private static final int MAX_QUEUED = 1 << 21;

  /**
   * If the ranges above their fair share hold no more than this (40 us of sweeping), their
   * candidates are searched again whenever another range has risen above its share. If they hold
   * more, such a range is seen only when the candidates are used up. In both cases the rule which
   * ranges pay first is kept at every page; only the order among those that pay is as old as the
   * last sweep.
   */
  private static final int MAX_RESIDENT_FOR_ORDER = 1 << 14;

  private final PageBudget budget;
  private final PageClock clock;
  private final PageObserver observer;
  private final ReclaimConfig config;
  private final EvictionQueue queue;

  /** Candidates of ranges above their fair share. */
  private final EvictionQueue excessQueue;

  ReclaimOrder(PageContext context, ReclaimConfig config) {
    this.budget = context.budget();
    this.clock = context.clock();
    this.observer = context.observer();
    this.config = config;
    this.queue = new EvictionQueue(clock, observer);
    this.excessQueue = new EvictionQueue(clock, observer);
  }

  /** Drops the queues' references to a range that has ended. */
  void remove(ShrinkablePageRange ended) {
    queue.remove(ended);
    excessQueue.remove(ended);
  }

  /** Drops all candidates, because there is no range left. */
  void clear() {
    queue.clear();
    excessQueue.clear();
  }

  /**
   * Takes the pages that a request asks for. Returns whether it walked through page tables for
   * that.
   *
   * @param live lists the ranges that are charged to a budget or below it now; each sweep calls it,
   *     after it has read the clock
   * @param scanned the ranges of the request's scope, listed after {@code start}
   * @param start when the scan began, a moment that has passed
   */
  boolean take(
      ReclaimRequest request,
      Function<PageBudget, List<ShrinkablePageRange>> live,
      List<ShrinkablePageRange> scanned,
      long start,
      Scan scan) {
    if (request.scope() != budget && request.trigger() == ReclaimTrigger.WATERMARK) {
      // ahead of need, no range's recent pages are taken
      long youngest = youngestUnprotected(start);
      Supplier<List<ShrinkablePageRange>> part = () -> live.apply(request.scope());
      return takeOldestOfPart(request.pages(), part, youngest, scan) > 0;
    }
    FairShare share = FairShare.of(budget, scanned.size());
    List<ShrinkablePageRange> above = request.fair() ? above(share, scanned) : List.of();
    boolean sparesRecent = request.fair() && !request.withinShare() && config.protectNanos() > 0;
    return (above.isEmpty() && !sparesRecent)
        ? takeOldestOrAll(request, live, scanned, start, scan)
        : takeFairly(request, live, scanned, above, share, start, scan);
  }

  /** Takes the oldest pages of some ranges. Returns whether it walked through their tables. */
  private boolean takeOldestOrAll(
      ReclaimRequest request,
      Function<PageBudget, List<ShrinkablePageRange>> live,
      List<ShrinkablePageRange> scanned,
      long start,
      Scan scan) {
    long pages = request.pages();
    long resident = residentPages(scanned);
    // Pages that takeAll leaves are stamped after the scan began. They need the order again.
    if (pages >= resident && scan.takeAll(scanned, pages, start) == 0) {
      return true;
    }
    Supplier<List<ShrinkablePageRange>> from = () -> live.apply(request.scope());
    if (request.scope() == budget) {
      int most = mostQueued(pages, resident);
      return takeOldest(pages, from, queue, most, OldestFirst.ANY_AGE, scan) > 0;
    }
    return takeOldestOfPart(pages, from, OldestFirst.ANY_AGE, scan) > 0;
  }

  private int takeOldestOfPart(
      long pages, Supplier<List<ShrinkablePageRange>> part, long latestWord, Scan scan) {
    int most = (int) Math.min(MAX_QUEUED, Math.max(MIN_QUEUED_IN_PART, pages));
    return takeOldest(pages, part, new EvictionQueue(clock, observer), most, latestWord, scan);
  }

  /**
   * Takes what ranges hold above their fair share. Then takes, of all ranges, pages that have not
   * been used for a while. Then takes, for an asker within its share, the oldest pages there are;
   * and for an asker above its share, its own pages.
   */
  private boolean takeFairly(
      ReclaimRequest request,
      Function<PageBudget, List<ShrinkablePageRange>> live,
      List<ShrinkablePageRange> scanned,
      List<ShrinkablePageRange> above,
      FairShare share,
      long start,
      Scan scan) {
    long excess = 0;
    for (ShrinkablePageRange range : above) {
      excess += excess(share, range);
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
            () -> above(share, live.apply(budget)),
            excessQueue,
            mostQueued(pages, residentAbove),
            OldestFirst.ANY_AGE,
            scan);
    if (worthTheOrder && scan.leftShares()) {
      excessQueue.clear();
    }
    scan.onlyBeyond(null);
    int most = mostQueued(pages, residentPages(scanned));
    Supplier<List<ShrinkablePageRange>> all = () -> live.apply(budget);
    looks += takeOldest(pages, all, queue, most, youngestUnprotected(start), scan);
    PageBudget asker = request.asker();
    if (asker != null && !request.withinShare()) {
      looks += takeOldestOfPart(pages, () -> live.apply(asker), OldestFirst.ANY_AGE, scan);
    } else if (asker != null) {
      looks += takeOldest(pages, all, queue, most, OldestFirst.ANY_AGE, scan);
    }
    return looks > 0;
  }

  /** The word of a page whose stop is just old enough to be no longer recent. */
  private long youngestUnprotected(long nowNanos) {
    long protectNanos = config.protectNanos();
    return protectNanos == 0
        ? OldestFirst.ANY_AGE
        : PageWord.available(Math.max(0, nowNanos - protectNanos));
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

  /** Takes oldest pages, none younger than {@code latestWord}, until the scan has {@code pages}. */
  private int takeOldest(
      long pages,
      Supplier<List<ShrinkablePageRange>> from,
      EvictionQueue candidates,
      int most,
      long latestWord,
      Scan scan) {
    OldestFirst oldest = new OldestFirst(from, candidates, most, latestWord, clock, observer);
    return oldest.take(pages, scan);
  }

  /** How many pages a range holds beyond its share. */
  static long excess(FairShare share, ShrinkablePageRange range) {
    return Math.max(0, range.budget().chargedPages() - share.pages());
  }

  /** The ranges that hold more than their share. */
  private static List<ShrinkablePageRange> above(
      FairShare share, List<ShrinkablePageRange> ranges) {
    List<ShrinkablePageRange> above = new ArrayList<>();
    for (ShrinkablePageRange range : ranges) {
      if (excess(share, range) > 0) {
        above.add(range);
      }
    }
    return above;
  }

  /** The ranges that are charged to a budget or below it. */
  static List<ShrinkablePageRange> within(
      PageBudget scope, Collection<ShrinkablePageRange> ranges) {
    List<ShrinkablePageRange> within = new ArrayList<>();
    for (ShrinkablePageRange range : ranges) {
      if (range.budget().isWithin(scope)) {
        within.add(range);
      }
    }
    return within;
  }
}
