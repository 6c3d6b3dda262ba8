package dev.pagetide.server.handoff;

/**
 * Is notified how connections to the hand-off socket end. Called on the thread that serves them;
 * must be quick and throw nothing.
 */
@FunctionalInterface
public interface HandoffObserver {
  /** Ignores every call. */
  HandoffObserver NONE = outcome -> {};

  /** A connection has got its answer, or will never get one. Called once for each connection. */
  void ended(HandoffOutcome outcome);
}
