package dev.pagetide.client;

import java.time.Duration;
import java.util.Optional;

/**
 * How one two-way transaction is made.
 *
 * @param timeout how long to wait for the reply, from when the server takes the transaction; empty:
 *     as long as it takes
 * @param clearOnFree whether the bytes, and those of the reply, are made zeros when they are freed
 */
public record AskOptions(Optional<Duration> timeout, boolean clearOnFree) {

  /** Waits as long as it takes; clears nothing. */
  public static final AskOptions DEFAULT = new AskOptions(Optional.empty(), false);

  private static final Duration SHORTEST = Duration.ofMillis(1);
  private static final Duration LONGEST = Duration.ofMillis(0xffff_ffffL);

  /**
   * Checks the timeout.
   *
   * @throws IllegalArgumentException if it is shorter than 1 ms, or than 2^32 ms is
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
