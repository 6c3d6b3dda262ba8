package dev.pagetide.server.buffer;

import java.util.HashMap;
import java.util.Map;

/**
 * The half of a range that one-way buffers may take, and who holds how much of it. Not thread-safe:
 * guarded by its allocator's lock.
 *
 * <p>Nobody waits for a one-way call, so nobody notices when its receiver falls behind: without a
 * limit, one-way buffers would leave no room for those that somebody waits for. The half, the 50
 * and the quarter are Binder's ({@code drivers/android/binder_alloc.c}, {@code
 * debug_low_async_space_locked}, which suspects somebody already when a fifth of the half is left).
 */
final class OneWaySpace {
  /** More one-way buffers than this, of one sender, are suspect. */
  static final int SUSPECT_BUFFERS = 50;

  /** More than this part of the range in one sender's one-way buffers is suspect. */
  static final int SUSPECT_SHARE = 4;

  /** Less than this part of the one-way space left is little. */
  static final int LITTLE_SHARE = 10;

  private final long totalBytes;
  private final long limitBytes;

  /** Who holds one-way buffers; nobody who holds none. */
  private final Map<Long, Held> senders = new HashMap<>();

  private long usedBytes;

  private static final class Held {
    private int buffers;
    private long bytes;
  }

  /** Half of so many bytes, rounded down to what a buffer's space is a multiple of. */
  OneWaySpace(long totalBytes) {
    this.totalBytes = totalBytes;
    this.limitBytes = totalBytes / 2 & -BufferSpace.ALIGNMENT_BYTES;
  }

  /** Whether so much space is left. */
  boolean fits(long spaceBytes) {
    return spaceBytes <= limitBytes - usedBytes;
  }

  /**
   * Charges one buffer that fits, and tells whether its sender floods the range, this buffer
   * counted.
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

  /** Throws if what is kept is not what these live buffers add up to. */
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
