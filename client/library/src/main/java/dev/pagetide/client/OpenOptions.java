package dev.pagetide.client;

/**
 * What to ask for when a range is opened. Only the process that opens a range can map its file. To
 * send bytes to another process, open a {@link Sender} and a {@link Receiver}.
 *
 * @param name how operators see the session. It is empty, or at most 128 bytes of UTF-8 without
 *     control, format or surrogate characters, and unique among the live sessions of this uid
 * @param sizeBytes the size to ask for. The server grants whole pages, and at most its own {@code
 *     --max-range-bytes}
 * @param takesLess whether to accept a smaller range if the server grants less; then {@link
 *     PageRange#sizeBytes} is the size that it granted. If false, opening fails, and the message
 *     has both sizes
 */
public record OpenOptions(String name, long sizeBytes, boolean takesLess) {

  /**
   * Refuses only a size that cannot be sent; the server checks the rest.
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
