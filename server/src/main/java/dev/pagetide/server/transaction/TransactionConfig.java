package dev.pagetide.server.transaction;

/**
 * What transactions may cost, and who may transact to whom.
 *
 * @param maxBuffers most live buffers in one range: {@code --max-buffers}
 * @param maxTransactions most replies that one endpoint waits for: {@code --max-transactions}
 * @param allocationWaitNanos how long a buffer waits for memory at most: {@code --allocation-wait}
 * @param rule {@code --allow-transactions}
 */
public record TransactionConfig(
    int maxBuffers, int maxTransactions, long allocationWaitNanos, TransactRule rule) {}
