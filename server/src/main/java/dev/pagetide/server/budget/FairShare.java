package dev.pagetide.server.budget;

/**
 * The number of pages that one range may hold before reclaim takes from it ahead of others: the
 * budget divided by the number of ranges, at one moment.
 */
public record FairShare(long pages) {
  public static FairShare of(PageBudget server, int ranges) {
    return new FairShare(server.limitPages() / Math.max(1, ranges));
  }

  /** Whether {@code wanted} further pages charged to {@code leaf} all stay within the share. */
  boolean covers(PageBudget leaf, long wanted) {
    return wanted <= pages - leaf.chargedPages();
  }
}
