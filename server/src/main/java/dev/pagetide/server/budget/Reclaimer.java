package dev.pagetide.server.budget;

/**
 * Reclaims pages from ranges that do not use them, and knows how much the ranges hold. It is the
 * budget's view of the shrinker. Thread-safe.
 */
public interface Reclaimer {
  /**
   * Reclaims what a request asks for, as far as it goes. Wakes no waiting request: the caller tells
   * the queue that memory came back.
   *
   * @return how many pages became FREE
   */
  long reclaim(ReclaimRequest request);

  /** What the ranges hold that are charged to {@code limit} or below it. Walks their tables. */
  NoMemoryDetails.Holders holders(PageBudget limit);

  /** The number of ranges. */
  int rangeCount();
}
