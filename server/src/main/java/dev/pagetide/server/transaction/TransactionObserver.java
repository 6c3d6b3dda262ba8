package dev.pagetide.server.transaction;

import dev.pagetide.server.page.PageFailure;

/** Told of what happens to transactions, as it happens; for meters. Called by any thread. */
public interface TransactionObserver {
  /** Nobody who wants to know. */
  TransactionObserver NONE = new TransactionObserver() {};

  /** A transaction was sent to its receiver, so long after its command came. */
  default void delivered(TransactionKind kind, long nanos) {}

  /** A transaction has ended, so long after its command came. */
  default void ended(TransactionKind kind, TransactionOutcome outcome, long nanos) {}

  /** So many bytes were copied into a buffer. */
  default void copied(long bytes) {}

  /** No buffer could be allocated. */
  default void allocationFailed(Throwable why) {}

  /** A one-way sender was told that it fills its receiver's space. */
  default void spam() {}

  /** The kernel refused to clear a freed buffer; it is tried again. */
  default void clearingRefused(PageFailure why) {}
}
