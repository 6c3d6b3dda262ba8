package dev.pagetide.server.budget;

/** How a wait for memory ended. */
public enum WaitOutcome {
  /** It got the memory. */
  GRANTED,
  /** The time was up, or a limit of its own did not allow it. */
  REFUSED,
  /** The asker gave the request up. */
  CANCELLED,
  /** The session ended. */
  ENDED
}
