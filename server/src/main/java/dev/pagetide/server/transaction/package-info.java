/**
 * Transactions: which endpoint sends what to which, and what the receiver and the sender are told.
 * Start reading at {@link dev.pagetide.server.transaction.Endpoint}.
 *
 * <p>Knows no gRPC, no Micrometer and no logging.
 */
@NullMarked
package dev.pagetide.server.transaction;

import org.jspecify.annotations.NullMarked;
