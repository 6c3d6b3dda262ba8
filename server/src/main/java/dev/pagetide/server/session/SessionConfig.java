package dev.pagetide.server.session;

/**
 * How many sessions there may be, and how much memory they may keep.
 *
 * @param maxSessions of the whole server: {@code --max-sessions}
 * @param maxSessionsPerUid of one user; callers by TCP count as one: {@code --max-sessions-per-uid}
 * @param maxResidentPagesPerUid {@code --max-resident-bytes-per-uid}, in pages
 * @param maxResidentPagesPerSession {@code --max-resident-bytes-per-session}, in pages
 */
public record SessionConfig(
    int maxSessions,
    int maxSessionsPerUid,
    long maxResidentPagesPerUid,
    long maxResidentPagesPerSession) {}
