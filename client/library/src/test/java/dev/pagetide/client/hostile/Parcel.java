package dev.pagetide.client.hostile;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/**
 * What one transaction of {@link TransactionsUnderFireTest} is, as a function of who sends it to
 * whom and of its number: how large, which bytes, and what its receiver is to do. So each side
 * knows every byte without having been told more than the transaction's sender and code.
 *
 * @param key what tells this parcel from all others, well mixed
 * @param shape whether its size is drawn or given
 * @param oneWay whether nobody replies
 */
record Parcel(long key, Shape shape, boolean oneWay) {
  /** The size of each process's range. */
  static final int RANGE_BYTES = 1 << 20;

  /** The number of the parcel that is as large as can be, and so is its reply. */
  static final int LARGEST = -2;

  /**
   * The number of the parcel that is as large as can be staged: it is answered without a byte, and
   * that answer, too, needs a buffer in its asker's range.
   */
  static final int LARGEST_ALONE = -1;

  private static final int EMPTY_BUFFER_BYTES = 8;
  private static final int MAX_SHIFT = RANGE_BYTES;
  private static final int SHORT_WAIT_MILLIS = 20;
  private static final int LONG_WAIT_MILLIS = 60_000;

  /** Every parcel's bytes are a piece of these, which are the same in each process. */
  private static final MemorySegment NOISE = noise();

  /** How a size comes about. */
  enum Shape {
    DRAWN,
    LARGEST,
    LARGEST_ALONE,
    EMPTY
  }

  /** What the receiver of a two-way parcel does with it. */
  enum Conduct {
    ANSWERS,
    ANSWERS_FROM_ANOTHER_THREAD,
    REFUSES,
    WAITS_UNTIL_IT_IS_OVER
  }

  private static MemorySegment noise() {
    byte[] bytes = new byte[RANGE_BYTES + MAX_SHIFT];
    new Random(1).nextBytes(bytes);
    return MemorySegment.ofArray(bytes).asReadOnly();
  }

  /** The parcel of that number that {@code sender}, running as {@code pid}, sends to another. */
  static Parcel of(String sender, int pid, String target, boolean oneWay, int number) {
    long key = mix(sender.hashCode());
    key = mix(key + pid);
    key = mix(key + target.hashCode());
    key = mix(key + (oneWay ? 1 : 0));
    key = mix(key + number);
    Shape shape =
        switch (number) {
          case LARGEST -> Shape.LARGEST;
          case LARGEST_ALONE -> Shape.LARGEST_ALONE;
          default -> Shape.DRAWN;
        };
    return new Parcel(key, shape, oneWay);
  }

  /** Java's SplittableRandom's. */
  static long mix(long bits) {
    long mixed = bits + 0x9e3779b97f4a7c15L;
    mixed = (mixed ^ mixed >>> 30) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94d049bb133111ebL;
    return mixed ^ mixed >>> 31;
  }

  /** A number below {@code bound}, another for each {@code salt}. */
  private int draw(int salt, int bound) {
    return (int) Long.remainderUnsigned(mix(key ^ salt), bound);
  }

  /** What it is answered with. */
  Parcel reply() {
    Shape answer =
        switch (shape) {
          case DRAWN -> Shape.DRAWN;
          case LARGEST -> Shape.LARGEST;
          case LARGEST_ALONE, EMPTY -> Shape.EMPTY;
        };
    return new Parcel(mix(key + 1), answer, false);
  }

  /** The most bytes it could have had: the range, or its half. */
  int largestBytes() {
    return oneWay ? RANGE_BYTES / 2 : RANGE_BYTES;
  }

  /** How many bytes it has: mostly few, now and then none, now and then all that fit. */
  int sizeBytes() {
    return switch (shape) {
      case LARGEST -> largestBytes();
      case LARGEST_ALONE -> oneWay ? largestBytes() : RANGE_BYTES - EMPTY_BUFFER_BYTES;
      case EMPTY -> 0;
      case DRAWN ->
          switch (draw(1, 16)) {
            case 0 -> draw(2, 17);
            case 1, 2, 3, 4, 5, 6, 7 -> draw(2, 4097);
            case 8, 9, 10, 11, 12, 13 -> draw(2, (64 << 10) + 1);
            case 14 -> draw(2, largestBytes() / 4 + 1);
            default -> draw(3, 8) == 0 ? largestBytes() : draw(2, largestBytes() + 1);
          };
    };
  }

  /** Its bytes, read-only. */
  MemorySegment bytes() {
    return NOISE.asSlice(draw(4, MAX_SHIFT), sizeBytes());
  }

  /** Whether its buffer, and that of the reply, are zeros before anybody else has their space. */
  boolean isClearedOnFree() {
    return draw(5, 8) == 0;
  }

  /** What its receiver does. */
  Conduct conduct() {
    if (shape != Shape.DRAWN) {
      return Conduct.ANSWERS;
    }
    return switch (draw(6, 64)) {
      case 0 -> Conduct.REFUSES;
      case 1 -> Conduct.WAITS_UNTIL_IT_IS_OVER;
      case 2, 3, 4, 5, 6, 7, 8, 9 -> Conduct.ANSWERS_FROM_ANOTHER_THREAD;
      default -> Conduct.ANSWERS;
    };
  }

  /**
   * How long its asker waits; 0: as long as it takes. Short where nobody is going to answer; now
   * and then so short that it may be over at any point of its way there and back.
   */
  int timeoutMillis() {
    if (conduct() == Conduct.WAITS_UNTIL_IT_IS_OVER) {
      return SHORT_WAIT_MILLIS;
    }
    return switch (shape == Shape.DRAWN ? draw(7, 16) : 16) {
      case 0, 1 -> 1 + draw(10, 3);
      case 2, 3, 4 -> LONG_WAIT_MILLIS;
      default -> 0;
    };
  }

  /** Whether a reply is staged, if there is room for that. */
  boolean isStaged() {
    return draw(8, 2) == 0;
  }

  /** Whether its receiver holds a one-way for a while after its handler has returned. */
  boolean isHeld() {
    return shape == Shape.DRAWN && draw(9, 4) == 0;
  }

  /** Throws unless these are its bytes, all of them and no more. */
  void verify(MemorySegment found, String what) {
    if (!found.isReadOnly()) {
      throw new AssertionError(what + ": its bytes can be written");
    }
    MemorySegment expected = bytes();
    long differs = expected.mismatch(found);
    if (differs >= 0) {
      throw new AssertionError(
          "%s: %d bytes that should be %d differ from byte %d on"
              .formatted(what, found.byteSize(), expected.byteSize(), differs));
    }
  }
}
