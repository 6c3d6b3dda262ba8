package dev.pagetide.server.budget;

/**
 * Is notified how waits for memory ended, and of refusals. Called on the thread that took the step,
 * while it holds no lock of a range. Must be quick and thread-safe, and throw nothing.
 */
public interface BudgetObserver {
  /**
   * A use or an opening that had waited for memory has ended. Called once, however often it waited.
   */
  default void waited(WaitOutcome outcome, long nanos) {}

  /** There was no memory for a use or an opening. */
  default void refused(MemoryRefusal refusal) {}
}
