package dev.pagetide.client;

import org.jspecify.annotations.Nullable;

/**
 * A session that the server has just granted, with its range's file if that is mapped here.
 *
 * @param ticket its token and its range's shape
 * @param stream its stream, which lasts as long as the session
 * @param pages its range's file, mapped; null if it is not mapped
 * @param whyRemote why there is no file, in a sentence; empty if there is one
 */
record OpenedSession(
    SessionTicket ticket, SessionStream stream, @Nullable SharedPages pages, String whyRemote) {}
