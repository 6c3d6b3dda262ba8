package dev.pagetide.server.budget;

/**
 * Is notified how waits for memory ended, and of refusals. Called on the thread that took the step,
 * while it holds no lock of a range. Must be quick and thread-safe, and throw nothing.
 */
public interface BudgetObserver {
  /**
   * A request to use pages, or to open a range, that had waited for memory has ended. Called once,
   * however often it waited.
   */
  default void waited(WaitOutcome outcome, long nanos) {}

  /** There was no memory for a request to use pages or to open a range. */
  default void refused(MemoryRefusal refusal) {}
}
