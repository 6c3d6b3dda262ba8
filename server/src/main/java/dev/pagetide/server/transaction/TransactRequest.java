package dev.pagetide.server.transaction;

/**
 * What an endpoint transacts.
 *
 * @param target the receiver's session name
 * @param targetUid the user of the receiver's session
 * @param code the application's own
 * @param flags as the sender gave them
 * @param oneWay whether there is no reply
 * @param clearOnFree whether its buffers are zeroed before their space is used again
 * @param size the number of bytes that are sent
 * @param timeoutMillis how long to wait for the reply; 0: without limit
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
    long sinceNanos) {
  /** Whether the sender waits for a reply, as observers tell it. */
  TransactionKind kind() {
    return oneWay ? TransactionKind.ONE_WAY : TransactionKind.TWO_WAY;
  }
}
