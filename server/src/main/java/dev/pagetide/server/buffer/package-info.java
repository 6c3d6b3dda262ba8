/**
 * Transaction buffers: the space and the pages of a range that is cut into buffers. Start reading
 * at {@link dev.pagetide.server.buffer.BufferAllocator}. Knows ranges, but no transactions.
 */
@NullMarked
package dev.pagetide.server.buffer;

import org.jspecify.annotations.NullMarked;
