package dev.pagetide.client;

import java.time.Duration;

/**
 * The server's notice that it is about to stop: finish, and close.
 *
 * @param grace how long after sending the notice the server ends the session by itself
 */
public record DrainNotice(Duration grace) {}
