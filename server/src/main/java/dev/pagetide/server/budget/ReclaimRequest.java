package dev.pagetide.server.budget;

import org.jspecify.annotations.Nullable;

/**
 * What one scan is to take, and from whom.
 *
 * @param pages at most that many are reclaimed
 * @param scope only ranges charged to this budget or below it
 * @param trigger why, for the counts
 * @param fair whether ranges above their fair share pay first; only where the scope is the server
 * @param asker what is charged for the range that the pages are for; null if they are for nobody
 * @param withinShare whether that range stays within its fair share with all it asks for: then
 *     nothing is spared
 */
public record ReclaimRequest(
    long pages,
    PageBudget scope,
    ReclaimTrigger trigger,
    boolean fair,
    @Nullable PageBudget asker,
    boolean withinShare) {

  /** Strictly the oldest pages. */
  public static ReclaimRequest oldest(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, scope, trigger, false, null, false);
  }

  /** The oldest pages, those above their fair share first. */
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
