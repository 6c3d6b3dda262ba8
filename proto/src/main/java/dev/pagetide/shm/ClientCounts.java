package dev.pagetide.shm;

/**
 * The counts of a client that maps its file. All are in pages, except the last. The server shows
 * these numbers apart from its own, because a client may write anything.
 *
 * @param uses pages that it made USED, or that the server made USED for it
 * @param stops USED pages that it made AVAILABLE itself
 * @param reuses AVAILABLE pages that it made USED itself, without a call
 * @param failures calls that failed to use pages
 */
public record ClientCounts(long uses, long stops, long reuses, long failures) {}
