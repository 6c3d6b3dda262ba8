package dev.pagetide.shm;

/**
 * What a client that maps its file has counted, all in pages but the last. The server shows these
 * numbers apart from its own, since a client may write anything.
 *
 * @param uses pages it made USED, or had made USED by the server
 * @param stops USED pages it made AVAILABLE itself
 * @param reuses AVAILABLE pages it made USED itself: those of the uses that cost no call
 * @param failures uses that failed
 */
public record ClientCounts(long uses, long stops, long reuses, long failures) {}
