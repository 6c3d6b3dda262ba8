package dev.pagetide.client;

import org.jspecify.annotations.Nullable;

/**
 * A session that the server has just granted, and what of its range is in this process.
 *
 * @param ticket its token and its range's shape
 * @param stream what it lives by
 * @param pages its range's file, mapped; null where it could not be had
 * @param whyRemote why there is no file, in a sentence; empty if there is one
 */
record OpenedSession(
    SessionTicket ticket, SessionStream stream, @Nullable SharedPages pages, String whyRemote) {}
