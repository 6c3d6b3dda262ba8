package dev.pagetide.server.transaction;

/**
 * The limits of transactions, and which users may transact to which others.
 *
 * @param maxBuffers the most live buffers in one range: {@code --max-buffers}
 * @param maxTransactions the most replies that one endpoint waits for: {@code --max-transactions}
 * @param allocationWaitNanos how long a buffer waits for memory at most: {@code --allocation-wait}
 * @param rule {@code --allow-transactions}
 */
public record TransactionConfig(
    int maxBuffers, int maxTransactions, long allocationWaitNanos, TransactRule rule) {}
