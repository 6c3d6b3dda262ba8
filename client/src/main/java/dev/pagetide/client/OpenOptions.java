package dev.pagetide.client;

/**
 * What to ask for when a range is opened.
 *
 * @param name how operators see the session; empty, or at most 128 bytes of UTF-8 without control,
 *     format or surrogate characters, unique among the live sessions of this uid
 * @param sizeBytes the size asked for; the server rounds it down to whole pages and to its own
 *     limit, {@link PageRange#pageCount} says what was granted
 */
public record OpenOptions(String name, long sizeBytes) {

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

  /** A range without a name. */
  public static OpenOptions ofSize(long sizeBytes) {
    return new OpenOptions("", sizeBytes);
  }
}
