package dev.pagetide.server.budget;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The only way to get memory: charges pages to a budget before they are given memory, and at once
 * reclaims from others what is missing.
 *
 * <p>Thread-safe. A caller must hold no lock.
 */
/*
 * The steps, in order:
 * (1) The charge is tried.
 * (2) The missing pages are reclaimed below the limit that is full, as long as that gives anything.
 * But while requests wait that go before this one, it does not reclaim below the server's limit:
 * pages that can be reclaimed belong to those requests. Pages that are free and have not gathered
 * for those requests may go to any request.
 * (3) If the limit is the server's own, a request that may wait does. Otherwise it is refused.
 *
 * The host's headroom (--memory-reserve) counts as a limit of the whole server, because all share
 * it.
 */
public final class Reservations {
  /**
   * How often one reservation reclaims before it gives up because other threads take the pages
   * first.
   */
  private static final int MAX_RECLAIMS = 64;

  private final BudgetContext context;
  private final PageBudget server;
  private final Reclaimer reclaimer;
  private final WaitingRequests waiting;
  private final OpenPages open;
  private final HeadroomGuard headroom;

  /** Read here, because initialising {@link Answer} could fail when pages are charged already. */
  private final Answer granted = Answer.GRANTED;

  /** Called with each budget whose charge is above its high watermark. */
  private volatile Consumer<PageBudget> aboveHigh = _ -> {};

  /** Reservations before the first one. Only {@link AllocationQueue#over} calls this. */
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
   * Why a reservation was not possible; nothing is reserved then.
   *
   * @param limit the budget without room; the server's if the host has no headroom
   * @param missing by how many pages the room is too small
   * @param lacksHeadroom whether it is the host that has no room
   */
  record Shortage(PageBudget limit, long missing, boolean lacksHeadroom) {
    static Shortage of(PageBudget limit) {
      return new Shortage(limit, 0, false);
    }

    /** Whether waiting may help: others give back memory that is the server's. */
    boolean isServers() {
      return limit.isRoot();
    }
  }

  /** For tests: what newcomers may take. */
  OpenPages openPages() {
    return open;
  }

  /** Sets what is called after each reservation that left a charge above its high watermark. */
  public void whenAboveHigh(Consumer<PageBudget> told) {
    aboveHigh = told;
  }

  /**
   * The number of pages that each range may hold now before reclaim takes from it ahead of others.
   */
  FairShare fairShare() {
    return FairShare.of(server, reclaimer.rangeCount());
  }

  /**
   * Reserves pages, if there is room or this can make room.
   *
   * @param mayWait whether to answer {@link Answer#WAIT} if waiting may help
   */
  public Answer tryReserve(PageBudget leaf, long pages, boolean mayWait) {
    PageBudget tooNarrow = leaf.narrowerThan(pages);
    if (tooNarrow != null) {
      return new Answer.Refused(
          refusal(leaf, pages, Shortage.of(tooNarrow), true, 0, 0, new RefusalCounts(reclaimer)));
    }
    boolean behind = !waiting.isEmpty() && waiting.goFirst(fairShare(), leaf, pages);
    Shortage shortage =
        behind ? pass(leaf, pages) : reclaimAndCharge(leaf, pages, ReclaimTrigger.BUDGET, true);
    if (shortage == null) {
      return granted;
    }
    if (mayWait && shortage.limit == server) {
      return Answer.WAIT;
    }
    boolean waitsForOthers = behind && shortage.limit == server;
    int waitingFirst = waitsForOthers ? waiting.size() : 0;
    if (waitsForOthers) {
      shortage = tighterOfServers(pages);
    }
    RefusalCounts counts = new RefusalCounts(reclaimer);
    return new Answer.Refused(refusal(leaf, pages, shortage, false, 0, waitingFirst, counts));
  }

  /**
   * Charges pages that the first request in the queue cannot use, to a newcomer or to a request
   * that waits.
   */
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
      // A request without room below its own limit gets room from below that limit, or is refused.
      // Meanwhile it holds none of the open pages, because a scan may take long. After a scan that
      // found nothing, it tries once more, because other threads may have freed pages meanwhile.
      last = !makesRoom(leaf, pages, shortage, ReclaimTrigger.BUDGET);
    }
  }

  /** Tries to charge pages. {@code passes} says whether they were taken from the open ones. */
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

  /** Reclaims the missing pages; false if that brought none. */
  private boolean makesRoom(PageBudget leaf, long pages, Shortage shortage, ReclaimTrigger why) {
    return shortage.missing <= 0 || reclaim(leaf, pages, shortage, why) > 0;
  }

  /**
   * Reserves for a request that is in the queue behind another, from the pages that the other
   * cannot use.
   *
   * @return why that is not possible; null if the pages are reserved
   */
  @Nullable Shortage reserveBehind(PageBudget leaf, long pages) {
    return pass(leaf, pages);
  }

  /**
   * Reserves for the first request in the queue.
   *
   * @param mayScan whether to reclaim from others; if not, it gets only free pages
   * @return why that is not possible; null if the pages are reserved
   */
  @Nullable Shortage reserveForFirst(PageBudget leaf, long pages, boolean mayScan) {
    return reclaimAndCharge(leaf, pages, ReclaimTrigger.WAITER, mayScan);
  }

  /** The refusal of a request in the queue because of a limit of its own. */
  NoMemoryDetails refusalAtOwnLimit(
      PageBudget leaf, long pages, Shortage shortage, RefusalCounts counts) {
    return refusal(leaf, pages, shortage, false, 0, 0, counts);
  }

  /** Reserves pages if there is room. Reclaims nothing. */
  boolean tryReserveFree(PageBudget leaf, long pages) {
    return tryCharge(leaf, pages) == null;
  }

  /** The number of pages that could be reserved now by the limits of the whole server. */
  long freePages() {
    long free = server.limitPages() - server.chargedPages();
    return Math.max(0, Math.min(free, headroom.roomPages()));
  }

  /** The refusal of a request that has waited too long. */
  NoMemoryDetails refusalAfter(
      PageBudget leaf, long pages, long waitedNanos, RefusalCounts counts) {
    return refusal(leaf, pages, tighterOfServers(pages), false, waitedNanos, 0, counts);
  }

  /**
   * Which of the two limits of the whole server is in the way of a request whose pages are not
   * reserved now: the room tells it, not the overshoot. If both limits leave enough for this
   * request, the room is for others that wait, and the tighter limit makes them wait.
   */
  private Shortage tighterOfServers(long pages) {
    long belowLimit = server.limitPages() - server.chargedPages();
    boolean lacksHeadroom = belowLimit >= pages && headroom.roomPages() < belowLimit;
    return new Shortage(server, 0, lacksHeadroom);
  }

  /**
   * Charges pages, after making room for them if necessary.
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
        return chargeAtLast(leaf, pages);
      }
    }
  }

  /** Charges pages after no more can be reclaimed; but memory that the server did not give can. */
  private @Nullable Shortage chargeAtLast(PageBudget leaf, long pages) {
    Shortage shortage = tryCharge(leaf, pages); // other threads may have freed pages since our scan
    return shortage != null
            && shortage.lacksHeadroom
            && reclaimer.takesStrays(() -> headroom.roomPages() >= pages)
        ? tryCharge(leaf, pages)
        : shortage;
  }

  private @Nullable Shortage tryCharge(PageBudget leaf, long pages) {
    PageBudget full = leaf.tryReserve(pages);
    if (full != null) {
      return new Shortage(full, pages - (full.limitPages() - full.chargedPages()), false);
    }
    boolean kept = false;
    // Not earlier: the pages of a refused charge would look as if they were not free.
    headroom.reserving(pages);
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

  /** Notes that reserved pages have been given memory. */
  public void given(long pages) {
    headroom.settled(pages);
  }

  /** Gives back reserved pages that are not needed and have no memory. */
  public void giveBack(PageBudget leaf, long pages) {
    uncharge(leaf, pages);
    waiting.memoryCameBack();
  }

  /** Gives back pages that had memory and have none any more. */
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
