package dev.pagetide.server.handoff;

/** What became of one connection to the hand-over socket. */
public enum HandoffOutcome {
  /** The descriptor was sent. */
  PASSED,
  /** No session had the token, or another process opened it. */
  UNKNOWN_SESSION,
  /** What came was not one token and a newline. */
  MALFORMED,
  /** Too many connections were served already. */
  BUSY,
  /** The token did not come in time. */
  TOO_LATE,
  /** There was no descriptor to be had, or the kernel would not pass one. */
  FAILED,
  /** The client went away before it had its answer. */
  BROKEN
}
