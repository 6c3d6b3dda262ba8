package dev.pagetide.server.handoff;

/**
 * What hears how connections to the hand-over socket end. Called on the thread that serves them;
 * must be quick and throw nothing.
 */
@FunctionalInterface
public interface HandoffObserver {
  /** Hears nothing. */
  HandoffObserver NONE = outcome -> {};

  /** A connection has its answer, or never will: called once for each. */
  void ended(HandoffOutcome outcome);
}
