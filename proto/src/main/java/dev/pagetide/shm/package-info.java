/**
 * The layout of the file that server and client share: its header, its page table, and the words in
 * it. {@code proto/SHARED_FILE.md} says the same for other languages.
 *
 * <p>{@link dev.pagetide.shm.ContractLimits} has what the gRPC contract bounds.
 */
@NullMarked
package dev.pagetide.shm;

import org.jspecify.annotations.NullMarked;
