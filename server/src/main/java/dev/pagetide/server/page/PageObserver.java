package dev.pagetide.server.page;

import dev.pagetide.server.budget.BudgetObserver;
import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.List;

/**
 * Is notified how long the costly steps took, and of refusals. Called on the thread that took the
 * step, while it holds no lock of a range. Must be quick and thread-safe, and throw nothing.
 */
public interface PageObserver extends BudgetObserver {
  /** Ignores every call. */
  PageObserver NONE = new PageObserver() {};

  /** Notifies several, in their order. */
  static PageObserver all(PageObserver... told) {
    return new PageObservers(List.of(told));
  }

  /**
   * {@code pages} pages of one range were given memory under one hold of its lock: at most 256,
   * with one {@code fallocate} for each run of neighbours.
   */
  default void allocated(int pages, long nanos) {}

  /**
   * The memory of {@code pages} pages of one range was taken under one hold of its lock: at most
   * 256, with one punch for each run of neighbours.
   */
  default void punched(int pages, long nanos) {}

  /** One of those punches took {@code pages} neighbours, which a scan had chosen. */
  default void punchedRun(int pages) {}

  /** One scan ended. */
  default void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {}

  /** One sweep over the page tables ended. Its time includes waiting for another sweep. */
  default void swept(long nanos) {}

  /** A range ended with {@code pages} resident pages, whose memory was given back. */
  default void closed(int pages) {}

  /** An allocation waited for its range's lock, for {@code nanos}. */
  default void lockWaited(long nanos) {}
}
