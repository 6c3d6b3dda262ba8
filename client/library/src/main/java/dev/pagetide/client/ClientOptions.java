package dev.pagetide.client;

import java.time.Duration;

/**
 * How a client behaves.
 *
 * @param callTimeout how long one operation may take before it fails with DEADLINE_EXCEEDED, the
 *     wait for a range to open included; longer than 0, and at most {@link #LONGEST_CALL_TIMEOUT}
 * @param access what lies beneath the ranges this client opens
 * @param confinedSegments whether a segment that a scope of used pages gave out fails once the
 *     scope is closed, for finding code that keeps it; costs a system call or two a scope
 * @param waitsForMemory whether a use or an opening for which the server has no memory waits in
 *     line for it, for the server's {@code --allocation-wait} at the most, a use also for nine
 *     tenths of the call timeout at the most; else it is refused at once
 */
public record ClientOptions(
    Duration callTimeout, AccessMode access, boolean confinedSegments, boolean waitsForMemory) {

  /** The longest {@link #callTimeout}: gRPC counts deadlines no further. */
  public static final Duration LONGEST_CALL_TIMEOUT = Duration.ofDays(36_500);

  /** Operations end within 30 s; ranges are shared where they can be; uses wait for memory. */
  public static final ClientOptions DEFAULT =
      new ClientOptions(Duration.ofSeconds(30), AccessMode.AUTO, false, true);

  /**
   * Checks the timeout.
   *
   * @throws IllegalArgumentException if it is not longer than 0, or longer than {@link
   *     #LONGEST_CALL_TIMEOUT}
   */
  public ClientOptions {
    if (callTimeout.isNegative() || callTimeout.isZero()) {
      throw new IllegalArgumentException("callTimeout=" + callTimeout + " is not longer than 0");
    }
    if (callTimeout.compareTo(LONGEST_CALL_TIMEOUT) > 0) {
      throw new IllegalArgumentException(
          "callTimeout="
              + callTimeout
              + " is longer than the longest, "
              + LONGEST_CALL_TIMEOUT
              + "; ClientOptions.LONGEST_CALL_TIMEOUT waits as good as without end");
    }
  }

  /** These options with another {@link #callTimeout}. */
  public ClientOptions withCallTimeout(Duration timeout) {
    return new ClientOptions(timeout, access, confinedSegments, waitsForMemory);
  }

  /** These options with another {@link #access}. */
  public ClientOptions withAccess(AccessMode choice) {
    return new ClientOptions(callTimeout, choice, confinedSegments, waitsForMemory);
  }

  /** These options with or without {@link #confinedSegments}. */
  public ClientOptions withConfinedSegments(boolean confined) {
    return new ClientOptions(callTimeout, access, confined, waitsForMemory);
  }

  /** These options with or without {@link #waitsForMemory}. */
  public ClientOptions withWaitsForMemory(boolean waits) {
    return new ClientOptions(callTimeout, access, confinedSegments, waits);
  }
}
