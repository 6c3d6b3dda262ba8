package dev.pagetide.client;

/**
 * Options of one one-way transaction.
 *
 * @param clearOnFree whether the server writes zeros over the bytes when the receiver frees them
 */
public record SendOptions(boolean clearOnFree) {

  /** Clears nothing. */
  public static final SendOptions DEFAULT = new SendOptions(false);
}
