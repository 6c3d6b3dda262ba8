package dev.pagetide.server.budget;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The one way to memory: charges pages to a budget before they are given, and takes back from
 * others what is missing right then.
 *
 * <p>Thread-safe. Called holding no lock.
 */
/*
 * In order: (1) the charge is tried; (2) what is missing is reclaimed below the limit that is full,
 * as long as that gives anything, but not below the server's while others wait who go first: what
 * can be reclaimed is theirs, and what is free and has not gathered for them is anybody's; (3) a
 * request that may wait does, if the limit is the server's own; else it is refused.
 *
 * The host's edge (--memory-reserve) counts as the server's own limit: it is everybody's.
 */
public final class Reservations {
  /** How often one reservation reclaims before it gives up to those who are quicker. */
  private static final int MAX_RECLAIMS = 64;

  private final BudgetContext context;
  private final PageBudget server;
  private final Reclaimer reclaimer;
  private final WaitingRequests waiting;
  private final OpenPages open;
  private final HeadroomGuard headroom;

  /** Read here, because initialising {@link Answer} could fail when pages are charged already. */
  private final Answer granted = Answer.GRANTED;

  /** Told which budget's charge is above its high watermark. */
  private volatile Consumer<PageBudget> aboveHigh = _ -> {};

  /** Reservations of which none was made yet; {@link AllocationQueue#over} makes them. */
  Reservations(
      BudgetContext context, Reclaimer reclaimer, WaitingRequests waiting, OpenPages open) {
    this.context = context;
    this.server = context.server();
    this.reclaimer = reclaimer;
    this.waiting = waiting;
    this.open = open;
    this.headroom = new HeadroomGuard(context.config().headroom(), context.clock());
  }

  /**
   * What stands in the way of a reservation; nothing is reserved then.
   *
   * @param limit the budget without room; the server's if the host has none
   * @param missing how many pages too few there are
   * @param lacksHeadroom whether it is the host that has none
   */
  record Shortage(PageBudget limit, long missing, boolean lacksHeadroom) {
    static Shortage of(PageBudget limit) {
      return new Shortage(limit, 0, false);
    }

    /** Whether waiting may help: others give back what is the server's. */
    boolean isServers() {
      return limit.isRoot();
    }
  }

  OpenPages openPages() {
    return open;
  }

  /** Tells {@code told} after each reservation that left a charge above its high watermark. */
  public void whenAboveHigh(Consumer<PageBudget> told) {
    aboveHigh = told;
  }

  /** What each range may hold now before it pays first. */
  public FairShare fairShare() {
    return FairShare.of(server, reclaimer.rangeCount());
  }

  /**
   * Reserves, if there is room or can be made.
   *
   * @param mayWait whether to answer {@link Answer#WAIT} where waiting may help
   */
  public Answer tryReserve(PageBudget leaf, long pages, boolean mayWait) {
    PageBudget tooNarrow = leaf.narrowerThan(pages);
    if (tooNarrow != null) {
      return new Answer.Refused(
          refusal(leaf, pages, Shortage.of(tooNarrow), true, 0, 0, new RefusalCounts(reclaimer)));
    }
    boolean behind = waiting.goFirst(fairShare(), leaf, pages);
    Shortage shortage =
        behind ? pass(leaf, pages) : reclaimAndCharge(leaf, pages, ReclaimTrigger.BUDGET, true);
    if (shortage == null) {
      return granted;
    }
    if (mayWait && shortage.limit == server) {
      return Answer.WAIT;
    }
    int waitingFirst = behind && shortage.limit == server ? waiting.size() : 0;
    RefusalCounts counts = new RefusalCounts(reclaimer);
    return new Answer.Refused(refusal(leaf, pages, shortage, false, 0, waitingFirst, counts));
  }

  /** Charges a newcomer, or one who waits, for what the first in line cannot use. */
  private @Nullable Shortage pass(PageBudget leaf, long pages) {
    boolean last = false;
    for (int reclaims = 0; ; reclaims++) {
      boolean passes = open.tryPass(pages);
      if (!passes && leaf.hasRoomBelowRoot(pages)) {
        return Shortage.of(server);
      }
      Shortage shortage = tryChargePassing(leaf, pages, passes);
      if (shortage == null || shortage.limit == server || last || reclaims == MAX_RECLAIMS) {
        return shortage;
      }
      // One without room below its own limit pays with what lies below that, and is refused else.
      // It holds nothing of what is open meanwhile: a scan may take long. After a scan that found
      // nothing it tries once more: others may have freed what the scan found no page for.
      last = !makesRoom(leaf, pages, shortage, ReclaimTrigger.BUDGET);
    }
  }

  /** Tries to charge pages; {@code passes} of those that were taken from what is open. */
  private @Nullable Shortage tryChargePassing(PageBudget leaf, long pages, boolean passes) {
    boolean charged = false;
    try {
      Shortage shortage = tryCharge(leaf, pages);
      charged = shortage == null;
      return shortage;
    } finally {
      if (passes && charged) {
        open.passed(pages);
      } else if (passes) {
        open.passedNot(pages);
      }
    }
  }

  /** Reclaims what is missing; false if nothing came of it. */
  private boolean makesRoom(PageBudget leaf, long pages, Shortage shortage, ReclaimTrigger why) {
    return shortage.missing <= 0 || reclaim(leaf, pages, shortage, why) > 0;
  }

  /**
   * Reserves for one who stands in line behind another, if that one cannot use what it asks for.
   *
   * @return what stands in the way; null if the pages are reserved
   */
  @Nullable Shortage reserveBehind(PageBudget leaf, long pages) {
    return pass(leaf, pages);
  }

  /**
   * Reserves for the first in line.
   *
   * @param mayScan whether to reclaim from others; else it gets what is free
   * @return what stands in the way; null if the pages are reserved
   */
  @Nullable Shortage reserveForFirst(PageBudget leaf, long pages, boolean mayScan) {
    return reclaimAndCharge(leaf, pages, ReclaimTrigger.WAITER, mayScan);
  }

  /** The refusal of one who stands in line, where a limit of its own is in the way. */
  NoMemoryDetails refusalAtOwnLimit(
      PageBudget leaf, long pages, Shortage shortage, RefusalCounts counts) {
    return refusal(leaf, pages, shortage, false, 0, 0, counts);
  }

  /** Reserves, if there is room; reclaims nothing. */
  boolean tryReserveFree(PageBudget leaf, long pages) {
    return tryCharge(leaf, pages) == null;
  }

  /** How many pages could be reserved now, as far as the whole server goes. */
  long freePages() {
    long free = server.limitPages() - server.chargedPages();
    return Math.max(0, Math.min(free, headroom.roomPages()));
  }

  /** The refusal of a request that has waited too long. */
  NoMemoryDetails refusalAfter(
      PageBudget leaf, long pages, long waitedNanos, RefusalCounts counts) {
    // Its own pages are not reserved now: so it is the room that tells, not the overshoot.
    long belowLimit = server.limitPages() - server.chargedPages();
    boolean lacksHeadroom = belowLimit >= pages && headroom.roomPages() < pages;
    Shortage shortage = new Shortage(server, 0, lacksHeadroom);
    return refusal(leaf, pages, shortage, false, waitedNanos, 0, counts);
  }

  /**
   * Charges pages once there is room for them.
   *
   * @param fromOthers whether to make room below the server's own limit, too
   */
  private @Nullable Shortage reclaimAndCharge(
      PageBudget leaf, long pages, ReclaimTrigger trigger, boolean fromOthers) {
    for (int reclaims = 0; ; reclaims++) {
      Shortage shortage = tryCharge(leaf, pages);
      if (shortage == null || (shortage.limit == server && !fromOthers)) {
        return shortage;
      }
      if (reclaims == MAX_RECLAIMS || !makesRoom(leaf, pages, shortage, trigger)) {
        return tryCharge(leaf, pages); // others may have freed what we found no page for
      }
    }
  }

  private @Nullable Shortage tryCharge(PageBudget leaf, long pages) {
    PageBudget full = leaf.tryReserve(pages);
    if (full != null) {
      return new Shortage(full, pages - (full.limitPages() - full.chargedPages()), false);
    }
    boolean kept = false;
    headroom.reserving(pages); // not before: what is refused here would look as if it were not free
    try {
      long overshoot = headroom.overshoot();
      if (overshoot > 0) {
        return new Shortage(server, overshoot, true);
      }
      tellIfAboveHigh(server);
      PageBudget uid = leaf.shared();
      if (uid.isLimitOfItsOwn()) {
        tellIfAboveHigh(uid);
      }
      kept = true;
      return null;
    } finally {
      if (!kept) {
        uncharge(leaf, pages);
      }
    }
  }

  private void tellIfAboveHigh(PageBudget budget) {
    if (budget.chargedPages() > context.config().highWatermarkPages(budget)) {
      aboveHigh.accept(budget);
    }
  }

  private long reclaim(PageBudget leaf, long pages, Shortage shortage, ReclaimTrigger trigger) {
    ReclaimRequest request =
        shortage.limit == server
            ? ReclaimRequest.fairFor(
                leaf,
                fairShare().covers(leaf, pages),
                shortage.missing,
                server,
                shortage.lacksHeadroom ? ReclaimTrigger.CGROUP : trigger)
            : ReclaimRequest.oldest(shortage.missing, shortage.limit, trigger);
    long reclaimed = reclaimer.reclaim(request);
    if (reclaimed > 0) {
      waiting.memoryCameBack();
    }
    return reclaimed;
  }

  /** What was reserved has been given memory. */
  public void given(long pages) {
    headroom.settled(pages);
  }

  /** What was reserved is not needed, and has no memory. */
  public void giveBack(PageBudget leaf, long pages) {
    uncharge(leaf, pages);
    waiting.memoryCameBack();
  }

  /** What was given memory has none any more. */
  public void taken(PageBudget leaf, long pages) {
    leaf.release(pages);
    waiting.memoryCameBack();
  }

  private void uncharge(PageBudget leaf, long pages) {
    leaf.release(pages);
    headroom.settled(pages);
  }

  private NoMemoryDetails refusal(
      PageBudget leaf,
      long pages,
      Shortage shortage,
      boolean hopeless,
      long waitedNanos,
      int waitingFirst,
      RefusalCounts counts) {
    PageBudget limit = shortage.limit;
    NoMemoryDetails.Holders below = counts.below(limit);
    boolean spared =
        limit == server
            && !hopeless
            && context.config().protectNanos() > 0
            && !fairShare().covers(leaf, pages);
    NoMemoryDetails refusal =
        new NoMemoryDetails(
            pages,
            limit.name(),
            limit.chargedPages(),
            limit.limitPages(),
            below,
            context.pageSize(),
            hopeless,
            waitedNanos,
            waitingFirst,
            spared ? fairShare().pages() : -1,
            shortage.lacksHeadroom ? headroom.describe() : null);
    context.observer().refused(refusal);
    return refusal;
  }
}
