package dev.pagetide.client;

import java.time.Duration;
import java.util.Optional;

/**
 * Options of one two-way transaction.
 *
 * @param timeout how long to wait for the reply, from when the server takes the transaction; empty:
 *     without limit
 * @param clearOnFree whether the server writes zeros over the bytes, and over those of the reply,
 *     when they are freed
 */
public record AskOptions(Optional<Duration> timeout, boolean clearOnFree) {

  /** Waits without limit; clears nothing. */
  public static final AskOptions DEFAULT = new AskOptions(Optional.empty(), false);

  private static final Duration SHORTEST = Duration.ofMillis(1);
  private static final Duration LONGEST = Duration.ofMillis(0xffff_ffffL);

  /**
   * Checks the timeout.
   *
   * @throws IllegalArgumentException if it is shorter than 1 ms, or not shorter than 2^32 ms
   */
  public AskOptions {
    if (timeout.filter(t -> t.compareTo(SHORTEST) < 0 || t.compareTo(LONGEST) > 0).isPresent()) {
      throw new IllegalArgumentException(
          "timeout=" + timeout.get() + " is not between " + SHORTEST + " and " + LONGEST);
    }
  }

  /** These options with another {@link #timeout}. */
  public AskOptions withTimeout(Duration longest) {
    return new AskOptions(Optional.of(longest), clearOnFree);
  }

  /** These options with or without {@link #clearOnFree}. */
  public AskOptions withClearOnFree(boolean clear) {
    return new AskOptions(timeout, clear);
  }
}
