package dev.pagetide.server.budget;

import java.util.function.BooleanSupplier;

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

  /**
   * Before a request is refused because the host lacks memory: finds and takes memory of the
   * ranges' files that the server did not give, and that no budget is charged for. Does so at most
   * every 100 ms, for all threads that ask meanwhile. Wakes no waiting request.
   *
   * @param enough whether that suffices; asked each time after some memory was taken
   * @return whether any was taken since this was called; then it is worth trying again
   */
  boolean takesStrays(BooleanSupplier enough);

  /** What the ranges hold that are charged to {@code limit} or below it. Walks their tables. */
  NoMemoryDetails.Holders holders(PageBudget limit);

  /** The number of ranges. */
  int rangeCount();
}
