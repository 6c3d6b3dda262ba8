package dev.pagetide.server.transaction;

/** How a transaction ended. */
public enum TransactionOutcome {
  /** One-way: the receiver was sent it. */
  DELIVERED,
  /** Two-way: the asker was sent the reply. */
  REPLIED,
  /** The receiver said that it cannot serve it. */
  REFUSED,
  /**
   * It, or its reply, could not be handed over: no permission, no room, a payload not to be had.
   */
  FAILED,
  /** The receiver was not there, or ended. */
  TARGET_DIED,
  /** The asker ended. */
  ASKER_DIED,
  /** No reply came in time. */
  TIMED_OUT,
  /** The asker gave it up. */
  CANCELLED
}
