package dev.pagetide.server.transaction;

/**
 * What an endpoint transacts.
 *
 * @param target the receiver's session name
 * @param targetUid the user whose session that is
 * @param code the application's own
 * @param flags as the sender gave them
 * @param oneWay whether nobody replies
 * @param clearOnFree whether its buffers are zeros before their space is used again
 * @param size bytes that are handed over
 * @param timeoutMillis how long to wait for the reply; 0: as long as it takes
 * @param sinceNanos when the command came, by the server's clock
 */
public record TransactRequest(
    String target,
    int targetUid,
    int code,
    int flags,
    boolean oneWay,
    boolean clearOnFree,
    long size,
    long timeoutMillis,
    long sinceNanos) {}
