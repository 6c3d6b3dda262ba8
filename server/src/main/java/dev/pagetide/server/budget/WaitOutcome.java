package dev.pagetide.server.budget;

/** How a wait for memory ended. */
public enum WaitOutcome {
  /** It got the memory. */
  GRANTED,
  /** The time was up, or a limit of its own stood in the way. */
  REFUSED,
  /** Nobody wants it any more. */
  CANCELLED,
  /** The session ended. */
  ENDED
}
