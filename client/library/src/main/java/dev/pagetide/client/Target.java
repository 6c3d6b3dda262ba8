package dev.pagetide.client;

import java.util.OptionalLong;

/**
 * Whom a transaction is for: the receiver that a user has attached under a name.
 *
 * @param name the receiver's name, as {@link ReceiverOptions#name} gave it
 * @param uid the user whose receiver it is; empty: the caller's own
 */
public record Target(String name, OptionalLong uid) {

  private static final long LARGEST_UID = 0xffff_ffffL;

  /**
   * Checks what cannot be sent; whether there is such a receiver is for the server to say.
   *
   * @throws IllegalArgumentException if the name is empty, or the uid is no number of 32 bits
   */
  public Target {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("the target's name is empty");
    }
    if (uid.isPresent() && (uid.getAsLong() < 0 || uid.getAsLong() > LARGEST_UID)) {
      throw new IllegalArgumentException(
          "uid=" + uid.getAsLong() + " is not between 0 and " + LARGEST_UID);
    }
  }

  /** The caller's own receiver of that name. */
  public static Target named(String name) {
    return new Target(name, OptionalLong.empty());
  }

  /** The receiver of that name that belongs to {@code uid}. */
  public static Target of(String name, long uid) {
    return new Target(name, OptionalLong.of(uid));
  }
}
