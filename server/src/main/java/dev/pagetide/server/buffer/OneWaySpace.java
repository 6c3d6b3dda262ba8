package dev.pagetide.server.buffer;

import java.util.HashMap;
import java.util.Map;

/**
 * The half of a range that one-way buffers may take, and how much of it each sender holds. Not
 * thread-safe: guarded by its allocator's lock.
 *
 * <p>No sender waits for the end of a one-way call, so no sender notices when the receiver falls
 * behind. Without a limit, one-way buffers would leave no room for calls whose senders wait. The
 * half, the 50 and the quarter are Binder's ({@code drivers/android/binder_alloc.c}, {@code
 * debug_low_async_space_locked}, which suspects a sender already when a fifth of the half is left).
 */
final class OneWaySpace {
  /** A sender with more one-way buffers than this is suspect. */
  static final int SUSPECT_BUFFERS = 50;

  /**
   * A sender whose one-way buffers hold more than one part in this many of the range is suspect.
   */
  static final int SUSPECT_SHARE = 4;

  /** Less than one part in this many of the one-way space counts as little left. */
  static final int LITTLE_SHARE = 10;

  private final long totalBytes;
  private final long limitBytes;

  /** The senders that hold one-way buffers, and no others. */
  private final Map<Long, Held> senders = new HashMap<>();

  private long usedBytes;

  private static final class Held {
    private int buffers;
    private long bytes;
  }

  /** The limit is half of the bytes, rounded down to a multiple of the buffers' alignment. */
  OneWaySpace(long totalBytes) {
    this.totalBytes = totalBytes;
    this.limitBytes = totalBytes / 2 & -BufferSpace.ALIGNMENT_BYTES;
  }

  /** Whether so much one-way space is left. */
  boolean fits(long spaceBytes) {
    return spaceBytes <= limitBytes - usedBytes;
  }

  /**
   * Charges one buffer that fits. Returns whether its sender floods the range, this buffer
   * included.
   */
  boolean charge(long senderId, long spaceBytes) {
    Held held = senders.computeIfAbsent(senderId, _ -> new Held());
    held.buffers++;
    held.bytes += spaceBytes;
    usedBytes += spaceBytes;
    return (limitBytes - usedBytes) * LITTLE_SHARE < limitBytes
        && (held.buffers > SUSPECT_BUFFERS || held.bytes * SUSPECT_SHARE > totalBytes);
  }

  /** Gives back exactly what {@link #charge} charged for one buffer. */
  void giveBack(long senderId, long spaceBytes) {
    usedBytes -= spaceBytes;
    senders.compute(
        senderId,
        (_, held) -> {
          if (held == null) {
            throw new IllegalStateException("sender " + senderId + " holds no one-way buffer");
          }
          held.buffers--;
          held.bytes -= spaceBytes;
          return held.buffers == 0 ? null : held;
        });
  }

  long usedBytes() {
    return usedBytes;
  }

  long limitBytes() {
    return limitBytes;
  }

  /** Forgets all buffers. */
  void clear() {
    senders.clear();
    usedBytes = 0;
  }

  /** Throws if the charges differ from those of these live buffers. */
  void check(Iterable<Buffer> buffers) {
    OneWaySpace right = new OneWaySpace(totalBytes);
    for (Buffer buffer : buffers) {
      if (buffer.oneWay()) {
        right.charge(buffer.senderId(), buffer.spaceBytes());
      }
    }
    if (usedBytes != right.usedBytes || usedBytes > limitBytes) {
      throw new IllegalStateException(
          "one-way used=" + usedBytes + ", not " + right.usedBytes + " of " + limitBytes);
    }
    if (!senders.keySet().equals(right.senders.keySet())) {
      throw new IllegalStateException("one-way senders " + senders.keySet());
    }
    right.senders.forEach((id, rightly) -> {
      Held held = senders.get(id);
      if (held == null || held.buffers != rightly.buffers || held.bytes != rightly.bytes) {
        throw new IllegalStateException("sender " + id + " holds another sum");
      }
    });
  }
}
