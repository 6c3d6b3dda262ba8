package dev.pagetide.server.rpc;

/**
 * The limits on connections to the gRPC servers.
 *
 * @param max most connections at once: {@code --max-connections}
 * @param maxPerUid most connections at once of one uid; all callers over TCP are one uid
 */
public record ConnectionConfig(int max, int maxPerUid) {}
