package dev.pagetide.server.page;

import dev.pagetide.server.budget.BudgetObserver;
import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.List;

/**
 * What hears how long the costly steps took, and what was refused. Called on the thread that took
 * the step, holding no lock of a range; must be quick, thread-safe, and throw nothing.
 */
public interface PageObserver extends BudgetObserver {
  /** Hears nothing. */
  PageObserver NONE = new PageObserver() {};

  /** Tells several, in their order. */
  static PageObserver all(PageObserver... told) {
    return new PageObservers(List.of(told));
  }

  /**
   * Memory was given to {@code pages} pages of one range under one hold of its lock: at most 256,
   * one {@code fallocate} for each run of neighbours.
   */
  default void allocated(int pages, long nanos) {}

  /**
   * The memory of {@code pages} pages of one range was taken under one hold of its lock: at most
   * 256, one punch for each run of neighbours.
   */
  default void punched(int pages, long nanos) {}

  /** One punch of {@code pages} neighbours, which a scan had chosen, was among them. */
  default void punchedRun(int pages) {}

  /** One scan ended. */
  default void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {}

  /** One sweep over the page tables ended; its time includes waiting for another one's. */
  default void swept(long nanos) {}

  /** A range ended with so many resident pages, whose memory is back. */
  default void closed(int pages) {}

  /** An allocation waited that long for its range's lock. */
  default void lockWaited(long nanos) {}
}
