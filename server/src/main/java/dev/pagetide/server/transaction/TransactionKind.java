package dev.pagetide.server.transaction;

/** Whether somebody waits for a reply. */
public enum TransactionKind {
  /** Nobody replies. */
  ONE_WAY,
  /** The asker waits for a reply. */
  TWO_WAY
}
