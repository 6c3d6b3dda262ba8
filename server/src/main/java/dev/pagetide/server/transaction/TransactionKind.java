package dev.pagetide.server.transaction;

/** Whether the asker waits for a reply. */
public enum TransactionKind {
  /** There is no reply. */
  ONE_WAY,
  /** The asker waits for a reply. */
  TWO_WAY
}
