package dev.pagetide.server.transaction;

/** How a transaction ended. */
public enum TransactionOutcome {
  /** One-way: it was sent to the receiver. */
  DELIVERED,
  /** Two-way: the reply was sent to the asker. */
  REPLIED,
  /** The receiver said that it cannot serve the transaction. */
  REFUSED,
  /**
   * It, or its reply, could not be sent: no permission, no room, or a payload that cannot be read.
   */
  FAILED,
  /** The receiver did not exist, or ended. */
  TARGET_DIED,
  /** The asker ended. */
  ASKER_DIED,
  /** No reply came in time. */
  TIMED_OUT,
  /** The asker gave the transaction up. */
  CANCELLED
}
