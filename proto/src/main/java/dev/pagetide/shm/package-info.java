/**
 * The layout of the file that server and client share: its header, its page table and its page
 * words. {@code proto/SHARED_FILE.md} says the same for other languages.
 */
@NullMarked
package dev.pagetide.shm;

import org.jspecify.annotations.NullMarked;
