package dev.pagetide.server.budget;

import java.util.List;
import java.util.function.BooleanSupplier;

/** One range's pages without the range: so many can be taken back, and are charged to a budget. */
final class FakeReclaimer implements Reclaimer {
  private final PageBudget leaf;

  /** What can be reclaimed. */
  long availablePages;

  FakeReclaimer(PageBudget leaf) {
    this.leaf = leaf;
  }

  /** A line in which those stand who wait for pages of {@code reclaimer}'s. */
  static AllocationQueue queue(PageBudget server, FakeReclaimer reclaimer) {
    return AllocationQueue.over(
        new BudgetContext(
            server, ReclaimConfig.NONE, PageClock.MONOTONIC, new BudgetObserver() {}, 4096),
        reclaimer);
  }

  @Override
  public long reclaim(ReclaimRequest request) {
    long taken = Math.min(availablePages, request.pages());
    availablePages -= taken;
    leaf.release(taken);
    return taken;
  }

  @Override
  public boolean takesStrays(BooleanSupplier enough) {
    return false;
  }

  @Override
  public NoMemoryDetails.Holders holders(PageBudget limit) {
    return new NoMemoryDetails.Holders(availablePages, 1, List.of(leaf.chargedPages()));
  }

  @Override
  public int rangeCount() {
    return 1;
  }
}
