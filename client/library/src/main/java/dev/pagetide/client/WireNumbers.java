package dev.pagetide.client;

import java.time.Duration;

/**
 * The one place where the contract's unsigned numbers become Java's signed ones: what does not fit
 * is an error, never a negative number.
 */
final class WireNumbers {

  private WireNumbers() {}

  /** A uint32 that counts something. */
  static int count(String field, int wire) {
    if (wire < 0) {
      throw tooLarge(field, Integer.toUnsignedString(wire));
    }
    return wire;
  }

  /** A uint64 that counts something. */
  static long count(String field, long wire) {
    if (wire < 0) {
      throw tooLarge(field, Long.toUnsignedString(wire));
    }
    return wire;
  }

  /** A uint32 that must not be 0. */
  static int positive(String field, int wire) {
    if (wire == 0) {
      throw PagetideException.local(
          StatusCode.INTERNAL, "the server answered " + field + "=0, which means nothing");
    }
    return count(field, wire);
  }

  /** A time that passed. */
  static Duration duration(String field, com.google.protobuf.Duration wire) {
    if (wire.getSeconds() < 0 || wire.getNanos() < 0) {
      throw PagetideException.local(
          StatusCode.INTERNAL, "the server answered " + field + " less than nothing");
    }
    return Duration.ofSeconds(wire.getSeconds(), wire.getNanos());
  }

  private static PagetideException tooLarge(String field, String value) {
    return PagetideException.local(
        StatusCode.INTERNAL,
        "the server answered " + field + "=" + value + ", more than this client can count");
  }
}
