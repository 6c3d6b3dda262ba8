package dev.pagetide.client;

import java.util.OptionalLong;

/**
 * The receiver of a transaction, by its name and its user.
 *
 * @param name the receiver's name, as {@link ReceiverOptions#name} gave it
 * @param uid the user whose receiver it is; empty: the caller's own
 */
public record Target(String name, OptionalLong uid) {

  private static final long LARGEST_UID = 0xffff_ffffL;

  /**
   * Checks the form of name and uid. The server checks whether there is such a receiver.
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
