package dev.pagetide.client;

/**
 * What to ask for when a range is opened. The process that opens a range is the only one that can
 * map its file; to hand bytes to another process, open a {@link Sender} and a {@link Receiver}.
 *
 * @param name how operators see the session; empty, or at most 128 bytes of UTF-8 without control,
 *     format or surrogate characters, unique among the live sessions of this uid
 * @param sizeBytes the size asked for. The server grants whole pages, and at most its own {@code
 *     --max-range-bytes}
 * @param takesLess whether a smaller range is taken when the server grants one; {@link
 *     PageRange#sizeBytes} says then what was granted. Otherwise opening fails, with both sizes
 */
public record OpenOptions(String name, long sizeBytes, boolean takesLess) {

  /**
   * Checks what cannot be sent; the rest is for the server to judge.
   *
   * @throws IllegalArgumentException if the size is negative
   */
  public OpenOptions {
    if (sizeBytes < 0) {
      throw new IllegalArgumentException("sizeBytes=" + sizeBytes + " is negative");
    }
  }

  /** A range of that size: opening fails if the server grants less. */
  public OpenOptions(String name, long sizeBytes) {
    this(name, sizeBytes, false);
  }

  /** A range without a name, of that size: opening fails if the server grants less. */
  public static OpenOptions ofSize(long sizeBytes) {
    return new OpenOptions("", sizeBytes);
  }

  /** A range without a name, of that size or of as much as the server grants. */
  public static OpenOptions atMost(long sizeBytes) {
    return new OpenOptions("", sizeBytes, true);
  }

  /** A range of that size or of as much as the server grants. */
  public static OpenOptions atMost(String name, long sizeBytes) {
    return new OpenOptions(name, sizeBytes, true);
  }
}
