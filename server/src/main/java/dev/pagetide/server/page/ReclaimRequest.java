package dev.pagetide.server.page;

import org.jspecify.annotations.Nullable;

/**
 * What one scan is to take, and from whom.
 *
 * @param pages at most that many are reclaimed
 * @param scope only ranges charged to this budget or below it
 * @param trigger why, for the counts
 * @param fair whether ranges above their fair share pay first; only where the scope is the server
 * @param asker what is charged for the range that the pages are for; null if they are for nobody
 * @param entitled how many of the pages it needs to come up to its own fair share: for those
 *     nothing is spared
 * @param beyond whether it wants more than that: for the rest, what others stopped lately is spared
 */
record ReclaimRequest(
    long pages,
    PageBudget scope,
    ReclaimTrigger trigger,
    boolean fair,
    @Nullable PageBudget asker,
    long entitled,
    boolean beyond) {

  /** Strictly the oldest pages. */
  static ReclaimRequest oldest(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, scope, trigger, false, null, 0, false);
  }

  /** The oldest pages, those above their fair share first. */
  static ReclaimRequest fair(long pages, PageBudget server, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, server, trigger, true, null, 0, false);
  }

  /** As {@link #fair}, what is missing of {@code wanted} pages for one range. */
  static ReclaimRequest fairFor(
      PageBudget asker,
      long wanted,
      long missing,
      FairShare share,
      PageBudget server,
      ReclaimTrigger trigger) {
    long entitled = share.entitled(asker, wanted);
    return new ReclaimRequest(missing, server, trigger, true, asker, entitled, entitled < wanted);
  }
}
