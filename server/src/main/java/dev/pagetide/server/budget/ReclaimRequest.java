package dev.pagetide.server.budget;

import org.jspecify.annotations.Nullable;

/**
 * What one scan is to take, and from which ranges.
 *
 * @param pages the most pages to reclaim
 * @param scope only ranges charged to this budget or below it
 * @param trigger the reason, for the counts
 * @param fair whether to take from ranges above their fair share first; only if the scope is the
 *     server
 * @param asker the budget of the range for which the pages are; null if they are for none
 * @param withinShare whether that range stays within its fair share with all that it asks for; then
 *     no page is spared
 */
public record ReclaimRequest(
    long pages,
    PageBudget scope,
    ReclaimTrigger trigger,
    boolean fair,
    @Nullable PageBudget asker,
    boolean withinShare) {

  /** Requests strictly the oldest pages. */
  public static ReclaimRequest oldest(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, scope, trigger, false, null, false);
  }

  /** Requests the oldest pages, those of ranges above their fair share first. */
  public static ReclaimRequest fair(long pages, PageBudget server, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, server, trigger, true, null, false);
  }

  /** As {@link #fair}, for one range. */
  static ReclaimRequest fairFor(
      PageBudget asker,
      boolean withinShare,
      long pages,
      PageBudget server,
      ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, server, trigger, true, asker, withinShare);
  }
}
