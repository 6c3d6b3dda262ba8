package dev.pagetide.server.page;

import java.util.HashMap;
import java.util.Map;

/**
 * What refusals tell of the ranges below a limit, counted at most once for each limit, because it
 * takes a walk through all page tables. Confined to one thread, and to one moment.
 */
final class RefusalCounts {
  private final Shrinker shrinker;
  private final Map<PageBudget, Count> counts = new HashMap<>();

  /**
   * What lies below one limit.
   *
   * @param availablePages those that could be reclaimed
   * @param holders the ranges
   */
  record Count(long availablePages, NoMemoryDetails.Holders holders) {}

  RefusalCounts(Shrinker shrinker) {
    this.shrinker = shrinker;
  }

  Count below(PageBudget limit) {
    return counts.computeIfAbsent(
        limit, scope -> new Count(shrinker.count(scope), shrinker.largestHolders(scope)));
  }
}
