/**
 * The layout of the file that server and client share: its header, its page table and its page
 * words. {@code proto/SHARED_FILE.md} says the same for other languages.
 *
 * <p>{@link dev.pagetide.shm.ContractLimits} has the bounds that the gRPC contract sets.
 */
@NullMarked
package dev.pagetide.shm;

import org.jspecify.annotations.NullMarked;
