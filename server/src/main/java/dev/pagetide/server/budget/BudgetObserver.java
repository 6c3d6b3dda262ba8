package dev.pagetide.server.budget;

/**
 * What hears how waits for memory ended, and what was refused. Called on the thread that took the
 * step, holding no lock of a range; must be quick, thread-safe, and throw nothing.
 */
public interface BudgetObserver {
  /** A use or an opening that had waited for memory ended: told once, however often it waited. */
  default void waited(WaitOutcome outcome, long nanos) {}

  /** There was no memory for a use or an opening. */
  default void refused(MemoryRefusal refusal) {}
}
