package dev.pagetide.client;

import java.time.Duration;

/**
 * The server's notice that it is about to stop: finish the current work, and close the session.
 *
 * @param grace how long after the notice the server ends the session itself
 */
public record DrainNotice(Duration grace) {}
