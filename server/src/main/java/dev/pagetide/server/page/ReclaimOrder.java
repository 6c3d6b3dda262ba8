package dev.pagetide.server.page;

import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * In what order a scan takes pages: strictly the oldest first, or, while the budget is short, from
 * those above their fair share first.
 *
 * <p>Thread-safe: scans share the queues, and nothing else.
 */
/*
 * The order of a fair scan, and why:
 *   1. what ranges hold above their fair share, oldest first, down to the share;
 *   2. what anybody stopped longer ago than --protect-recent, oldest first: idle memory is
 *      anybody's;
 *   3. for a use that stays within its share, the oldest there is: the share is its right;
 *      for one that does not, its own pages: else one that has everything USED, and nothing to pay
 *      with, would be given what the others keep warm.
 * Ahead of need the third step is left out: whoever asks most would have what was set free.
 */
final class ReclaimOrder {
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
   * Where those above their fair share hold no more than this, 40 us of sweeping, their candidates
   * are looked for anew whenever others have come to be above theirs. Where they hold more, those
   * others are seen when the candidates are used up: who pays first is right at every page, and
   * only the order among those who do is as old as the last sweep.
   */
  private static final int MAX_RESIDENT_FOR_ORDER = 1 << 14;

  /** For {@link EvictionQueue#take}: no word is above it. */
  private static final long ANY_AGE = -1;

  private final PageBudget budget;
  private final PageClock clock;
  private final PageObserver observer;
  private final ReclaimTerms terms;
  private final EvictionQueue queue;

  /** Candidates of ranges above their fair share. */
  private final EvictionQueue excessQueue;

  ReclaimOrder(PageBudget budget, PageClock clock, PageObserver observer, ReclaimTerms terms) {
    this.budget = budget;
    this.clock = clock;
    this.observer = observer;
    this.terms = terms;
    this.queue = new EvictionQueue(clock, observer);
    this.excessQueue = new EvictionQueue(clock, observer);
  }

  /** Forgets all candidates, so that ended ranges are not kept alive. */
  void clear() {
    queue.clear();
    excessQueue.clear();
  }

  /**
   * Takes what a request asks for, and tells whether it walked through page tables for that.
   *
   * @param scanned the ranges of the request's scope
   * @param start when the scan began
   */
  boolean take(ReclaimRequest request, List<ShrinkablePageRange> scanned, long start, Scan scan) {
    if (request.scope() != budget && request.trigger() == ReclaimTrigger.WATERMARK) {
      long youngest = youngestUnprotected(start); // ahead of need nobody's recent pages are taken
      return takeOldestOfPart(request.pages(), scanned, youngest, scan) > 0;
    }
    FairShare share = FairShare.of(budget, scanned.size());
    List<ShrinkablePageRange> above = request.fair() ? share.above(scanned) : List.of();
    boolean sparesRecent = request.fair() && !request.withinShare() && terms.protectNanos() > 0;
    return (above.isEmpty() && !sparesRecent)
        ? takeOldestOrAll(request, scanned, start, scan)
        : takeFairly(request, scanned, above, share, start, scan);
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
    if (request.scope() == budget) {
      return takeOldest(pages, scanned, queue, mostQueued(pages, resident), ANY_AGE, scan) > 0;
    }
    return takeOldestOfPart(pages, scanned, ANY_AGE, scan) > 0;
  }

  private int takeOldestOfPart(
      long pages, List<ShrinkablePageRange> part, long latestWord, Scan scan) {
    int most = (int) Math.min(MAX_QUEUED, Math.max(MIN_QUEUED_IN_PART, pages));
    return takeOldest(pages, part, new EvictionQueue(clock, observer), most, latestWord, scan);
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
      looks += takeOldestOfPart(pages, within(asker, scanned), ANY_AGE, scan);
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
      if (latestWord != ANY_AGE && onlyYoungIsLeft(from)) {
        break;
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

  /** Whether what is queued, though nothing of it was old enough, shows that nothing else is. */
  private static boolean onlyYoungIsLeft(EvictionQueue from) {
    if (from.size() == 0) {
      return false;
    }
    if (from.onlyLaterIsLeft()) {
      from.clear(); // a liar's pages, behind which others may have grown old
      return false;
    }
    return true;
  }

  /** Those of some ranges that are charged to a budget or below it. */
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
