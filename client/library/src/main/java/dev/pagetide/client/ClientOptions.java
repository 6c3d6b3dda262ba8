package dev.pagetide.client;

import java.time.Duration;

/**
 * How a client behaves.
 *
 * @param callTimeout how long one operation may take before it fails with DEADLINE_EXCEEDED,
 *     including the wait for a range to open; longer than 0, and at most {@link
 *     #LONGEST_CALL_TIMEOUT}
 * @param access whether this client maps the ranges that it opens
 * @param confinedSegments whether a segment that a scope of used pages gave out fails once the
 *     scope is closed. This finds code that keeps segments for too long. It costs one or two system
 *     calls for each scope
 * @param waitsForMemory whether {@code useRange} and {@code open} wait in the server's allocation
 *     queue if the server has no memory. They wait at most the server's {@code --allocation-wait},
 *     and {@code useRange} also at most nine tenths of the call timeout. If false, the server
 *     refuses them at once
 */
public record ClientOptions(
    Duration callTimeout, AccessMode access, boolean confinedSegments, boolean waitsForMemory) {

  /** The longest {@link #callTimeout}, because gRPC supports no longer deadlines. */
  public static final Duration LONGEST_CALL_TIMEOUT = Duration.ofDays(36_500);

  /** Operations end within 30 s; ranges are shared if possible; uses wait for memory. */
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
