/**
 * Transaction buffers: what the server allocates in the range of a process that receives. Start
 * reading at {@link dev.pagetide.server.transaction.BufferAllocator}.
 *
 * <p>Knows no gRPC, no Micrometer and no logging.
 */
@NullMarked
package dev.pagetide.server.transaction;

import org.jspecify.annotations.NullMarked;
