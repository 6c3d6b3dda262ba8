package dev.pagetide.server.transaction;

import dev.pagetide.server.page.PageFailure;

/**
 * Is notified of each event of transactions when it happens; for meters. Any thread may call it.
 */
public interface TransactionObserver {
  /** Ignores every call. */
  TransactionObserver NONE = new TransactionObserver() {};

  /** A transaction was sent to its receiver, {@code nanos} after its command came. */
  default void delivered(TransactionKind kind, long nanos) {}

  /** A transaction has ended, {@code nanos} after its command came. */
  default void ended(TransactionKind kind, TransactionOutcome outcome, long nanos) {}

  /** So many bytes were copied into a buffer. */
  default void copied(long bytes) {}

  /** No buffer could be allocated. */
  default void allocationFailed(Throwable why) {}

  /** The answer to a one-way sender said that it fills its receiver's space. */
  default void spam() {}

  /** The kernel refused to clear a freed buffer. The server will try again. */
  default void clearingRefused(PageFailure why) {}
}
