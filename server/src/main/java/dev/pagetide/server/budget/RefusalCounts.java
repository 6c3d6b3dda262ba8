package dev.pagetide.server.budget;

import java.util.HashMap;
import java.util.Map;

/**
 * The holdings that refusals report of the ranges below a limit. They are counted at most once for
 * each limit, because counting walks through all page tables. Confined to one thread, and valid for
 * one moment.
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
