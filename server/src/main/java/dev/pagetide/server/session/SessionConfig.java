package dev.pagetide.server.session;

/**
 * The limits on the number of sessions and on their memory.
 *
 * @param maxSessions of the whole server: {@code --max-sessions}
 * @param maxSessionsPerUid of one user: {@code --max-sessions-per-uid}. All callers over TCP count
 *     as one user
 * @param maxResidentPagesPerUid {@code --max-resident-bytes-per-uid}, in pages
 * @param maxResidentPagesPerSession {@code --max-resident-bytes-per-session}, in pages
 */
public record SessionConfig(
    int maxSessions,
    int maxSessionsPerUid,
    long maxResidentPagesPerUid,
    long maxResidentPagesPerSession) {}
