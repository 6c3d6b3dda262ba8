package dev.pagetide.server.handoff;

/** How one connection to the hand-off socket ended. */
public enum HandoffOutcome {
  /** The descriptor was sent. */
  PASSED,
  /** No session had the token, or another process opened the session. */
  UNKNOWN_SESSION,
  /** The client sent something else than one token and a newline. */
  MALFORMED,
  /** Too many connections were served already. */
  BUSY,
  /** The token did not arrive in time. */
  TOO_LATE,
  /** The server got no duplicate of the descriptor, or the kernel refused to pass it. */
  FAILED,
  /** The client disconnected before it had its answer. */
  BROKEN
}
