package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.List;

/**
 * What one range may hold before it pays first: the budget divided by the ranges there are, and who
 * holds more than that. A look at one moment; confined to one thread.
 */
record FairShare(long pages) {
  static FairShare of(PageBudget server, int ranges) {
    return new FairShare(server.limitPages() / Math.max(1, ranges));
  }

  /** How many pages a range holds beyond its share. */
  long excess(ShrinkablePageRange range) {
    return Math.max(0, range.budget().chargedPages() - pages);
  }

  /** Those of some ranges that hold more than their share. */
  List<ShrinkablePageRange> above(List<ShrinkablePageRange> ranges) {
    List<ShrinkablePageRange> above = new ArrayList<>();
    for (ShrinkablePageRange range : ranges) {
      if (excess(range) > 0) {
        above.add(range);
      }
    }
    return above;
  }

  /**
   * Whether all of {@code wanted} further pages lie within the share of whom {@code leaf} charges.
   */
  boolean covers(PageBudget leaf, long wanted) {
    return wanted <= pages - leaf.chargedPages();
  }
}
