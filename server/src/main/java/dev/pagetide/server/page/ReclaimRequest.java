package dev.pagetide.server.page;

/**
 * What one scan is to take, and from whom.
 *
 * @param pages at most that many are reclaimed
 * @param scope only ranges charged to this budget or below it
 * @param trigger why, for the counts
 * @param fair whether ranges above their fair share pay first; only where the scope is the server
 * @param entitled how many of the pages a range needs to come up to its own fair share: for those
 *     nothing is spared
 */
record ReclaimRequest(
    long pages, PageBudget scope, ReclaimTrigger trigger, boolean fair, long entitled) {

  /** Strictly the oldest pages. */
  static ReclaimRequest oldest(long pages, PageBudget scope, ReclaimTrigger trigger) {
    return new ReclaimRequest(pages, scope, trigger, false, 0);
  }

  /** The oldest pages, those above their fair share first. */
  static ReclaimRequest fair(long pages, PageBudget server, ReclaimTrigger trigger, long entitled) {
    return new ReclaimRequest(pages, server, trigger, true, entitled);
  }
}
