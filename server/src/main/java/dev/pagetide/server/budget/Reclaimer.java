package dev.pagetide.server.budget;

/**
 * What takes pages back from ranges that do not use them, and knows how much the ranges hold: the
 * budget's view of the shrinker. Thread-safe.
 */
public interface Reclaimer {
  /**
   * Reclaims what a request asks for, as far as it goes. Wakes nobody: the caller tells those who
   * wait that memory came back.
   *
   * @return how many pages became FREE
   */
  long reclaim(ReclaimRequest request);

  /** What the ranges hold that are charged to {@code limit} or below it. Walks their tables. */
  NoMemoryDetails.Holders holders(PageBudget limit);

  /** How many ranges there are. */
  int rangeCount();
}
