package dev.pagetide.server.page;

import dev.pagetide.server.os.SystemCallException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The one way to memory: charges pages to a budget before they are given, and takes back from
 * others what is missing right then.
 *
 * <p>Thread-safe. Called holding no lock.
 */
/*
 * In order: (1) who may wait stands in line behind those who wait already; (2) the charge is tried;
 * (3) what is missing is reclaimed below the limit that is full, as long as that gives anything;
 * (4) who may wait does, if the limit is the server's own; else the refusal.
 *
 * The host's edge (--memory-reserve) counts as the server's own limit: it is everybody's.
 */
final class Reservations {
  /** How often one reservation reclaims before it gives up to those who are quicker. */
  private static final int MAX_RECLAIMS = 64;

  private final Shrinker shrinker;
  private final PageBudget server;
  private final ReclaimTerms terms;
  private final EdgeGuard edge;

  /** Told which budget's charge is above its high watermark. */
  private volatile Consumer<PageBudget> aboveHigh = _ -> {};

  Reservations(Shrinker shrinker, PageBudget server, ReclaimTerms terms) {
    this.shrinker = shrinker;
    this.server = server;
    this.terms = terms;
    this.edge = new EdgeGuard(terms.edge(), shrinker.clock());
  }

  /**
   * What stands in the way of a reservation.
   *
   * @param limit the budget without room; the server's if the host has none
   * @param missing how many pages too few there are
   * @param atEdge whether it is the host that has none
   */
  private record Shortage(PageBudget limit, long missing, boolean atEdge) {
    static Shortage of(PageBudget limit) {
      return new Shortage(limit, 0, false);
    }
  }

  void whenAboveHigh(Consumer<PageBudget> told) {
    aboveHigh = told;
  }

  /**
   * Reserves, or refuses at once.
   *
   * @throws PageFailure.NoMemory if a limit stands in the way; nothing is reserved then
   */
  void reserve(PageBudget leaf, long pages) {
    if (!tryReserve(leaf, pages, false)) {
      throw new AssertionError("who may not wait was told to");
    }
  }

  /**
   * Reserves, if there is room or can be made.
   *
   * @param mayWait whether to answer false where waiting may help
   * @return false if the caller has to wait; nothing is reserved then
   * @throws PageFailure.NoMemory if a limit stands in the way for which nobody waits
   */
  boolean tryReserve(PageBudget leaf, long pages, boolean mayWait) {
    PageBudget tooNarrow = leaf.narrowerThan(pages);
    if (tooNarrow != null) {
      throw refusal(leaf, pages, Shortage.of(tooNarrow), true, 0, 0);
    }
    WaitingLine line = shrinker.waitingLine();
    if (line.goesFirst(leaf, pages) && leaf.hasRoomBelowRoot(pages)) {
      if (mayWait) {
        return false;
      }
      throw refusal(leaf, pages, Shortage.of(server), false, 0, line.size());
    }
    Shortage shortage = reclaimAndCharge(leaf, pages, ReclaimTrigger.BUDGET);
    if (shortage == null) {
      return true;
    }
    if (mayWait && shortage.limit == server) {
      return false;
    }
    throw refusal(leaf, pages, shortage, false, 0, 0);
  }

  /**
   * Reserves for who waits and is first in line.
   *
   * @return false if it has to go on waiting
   * @throws PageFailure.NoMemory if a limit of its own stands in the way
   */
  boolean tryReserveForWaiter(PageBudget leaf, long pages) {
    Shortage shortage = reclaimAndCharge(leaf, pages, ReclaimTrigger.WAITER);
    if (shortage == null) {
      return true;
    }
    if (shortage.limit == server) {
      return false;
    }
    throw refusal(leaf, pages, shortage, false, 0, 0);
  }

  /** The refusal of who has waited too long. */
  PageFailure.NoMemory refusalAfter(PageBudget leaf, long pages, long waitedNanos) {
    boolean atEdge = server.limitPages() - server.chargedPages() >= pages && edge.overshoot() > 0;
    return refusal(leaf, pages, new Shortage(server, 0, atEdge), false, waitedNanos, 0);
  }

  /** The refusal where it was the kernel that refused memory or a file. */
  PageFailure.NoMemory kernelRefused(long pages, SystemCallException kernel) {
    PageFailure.NoMemory refusal = new PageFailure.NoMemory(pages, kernel);
    shrinker.observer().refused(refusal);
    return refusal;
  }

  private @Nullable Shortage reclaimAndCharge(PageBudget leaf, long pages, ReclaimTrigger trigger) {
    for (int reclaims = 0; ; reclaims++) {
      Shortage shortage = tryCharge(leaf, pages);
      if (shortage == null) {
        return null;
      }
      if (reclaims == MAX_RECLAIMS
          || (shortage.missing > 0 && reclaim(leaf, pages, shortage, trigger) == 0)) {
        return tryCharge(leaf, pages); // others may have freed what we found no page for
      }
    }
  }

  private @Nullable Shortage tryCharge(PageBudget leaf, long pages) {
    edge.reserving(pages);
    PageBudget full = leaf.tryReserve(pages);
    if (full != null) {
      edge.settled(pages);
      return new Shortage(full, pages - (full.limitPages() - full.chargedPages()), false);
    }
    long overshoot = edge.overshoot();
    if (overshoot > 0) {
      giveBack(leaf, pages);
      return new Shortage(server, overshoot, true);
    }
    tellIfAboveHigh(server);
    PageBudget uid = leaf.shared();
    if (uid.isLimitOfItsOwn()) {
      tellIfAboveHigh(uid);
    }
    return null;
  }

  private void tellIfAboveHigh(PageBudget budget) {
    if (budget.chargedPages() > terms.highWatermarkPages(budget)) {
      aboveHigh.accept(budget);
    }
  }

  private long reclaim(PageBudget leaf, long pages, Shortage shortage, ReclaimTrigger trigger) {
    ReclaimRequest request =
        shortage.limit == server
            ? ReclaimRequest.fairFor(
                leaf,
                shrinker.fairShare().covers(leaf, pages),
                shortage.missing,
                server,
                shortage.atEdge ? ReclaimTrigger.CGROUP : trigger)
            : ReclaimRequest.oldest(shortage.missing, shortage.limit, trigger);
    return shrinker.scan(request).reclaimed();
  }

  /** What was reserved has been given memory. */
  void given(long pages) {
    edge.settled(pages);
  }

  /** What was reserved is not needed, and has no memory. */
  void giveBack(PageBudget leaf, long pages) {
    leaf.release(pages);
    edge.settled(pages);
  }

  private PageFailure.NoMemory refusal(
      PageBudget leaf,
      long pages,
      Shortage shortage,
      boolean hopeless,
      long waitedNanos,
      int waitingFirst) {
    PageBudget limit = shortage.limit;
    boolean spared =
        limit == server
            && !hopeless
            && terms.protectNanos() > 0
            && !shrinker.fairShare().covers(leaf, pages);
    PageFailure.NoMemory refusal =
        new PageFailure.NoMemory(
            new RefusalFacts(
                pages,
                limit.name(),
                limit.chargedPages(),
                limit.limitPages(),
                shrinker.count(limit),
                shrinker.largestHolders(limit),
                shrinker.pageSize(),
                hopeless,
                waitedNanos,
                waitingFirst,
                spared ? shrinker.fairShare().pages() : -1,
                shortage.atEdge ? edge.describe() : null));
    shrinker.observer().refused(refusal);
    return refusal;
  }
}
