package dev.pagetide.client;

import java.time.Duration;

/**
 * How a client behaves.
 *
 * @param callTimeout how long one operation may take before it fails with DEADLINE_EXCEEDED, the
 *     wait for a range to open included; longer than 0
 */
public record ClientOptions(Duration callTimeout) {

  /** Operations end within 30 s. */
  public static final ClientOptions DEFAULT = new ClientOptions(Duration.ofSeconds(30));

  /**
   * Checks the timeout.
   *
   * @throws IllegalArgumentException if it is not longer than 0
   */
  public ClientOptions {
    if (callTimeout.isNegative() || callTimeout.isZero()) {
      throw new IllegalArgumentException("callTimeout=" + callTimeout + " is not longer than 0");
    }
  }
}
