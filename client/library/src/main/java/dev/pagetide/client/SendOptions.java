package dev.pagetide.client;

/**
 * How one one-way transaction is made.
 *
 * @param clearOnFree whether the bytes are made zeros when the receiver frees them
 */
public record SendOptions(boolean clearOnFree) {

  /** Clears nothing. */
  public static final SendOptions DEFAULT = new SendOptions(false);
}
