package dev.pagetide.server.budget;

import java.util.HashMap;
import java.util.Map;

/**
 * What refusals tell of the ranges below a limit, counted at most once for each limit, because it
 * takes a walk through all page tables. Confined to one thread, and to one moment.
 */
final class RefusalCounts {
  private final Reclaimer reclaimer;
  private final Map<PageBudget, NoMemoryDetails.Holders> counts = new HashMap<>();

  /** Nothing is counted yet. */
  RefusalCounts(Reclaimer reclaimer) {
    this.reclaimer = reclaimer;
  }

  /** What the ranges below one limit hold. */
  NoMemoryDetails.Holders below(PageBudget limit) {
    return counts.computeIfAbsent(limit, reclaimer::holders);
  }
}
