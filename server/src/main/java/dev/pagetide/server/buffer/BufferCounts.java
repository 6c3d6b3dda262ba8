package dev.pagetide.server.buffer;

import dev.pagetide.server.buffer.Buffer.State;

/**
 * The number of live buffers in each state. Not thread-safe: guarded by its allocator's lock.
 *
 * <p>Only this class changes a live buffer's state, so that the counts follow every change.
 */
final class BufferCounts {
  private final Tally building = new Tally();
  private final Tally delivered = new Tally();
  private final Tally clearing = new Tally();

  private static final class Tally {
    private int buffers;
    private long bytes;

    private boolean isAsMuchAs(Tally that) {
      return buffers == that.buffers && bytes == that.bytes;
    }
  }

  /** Counts a new buffer, in its state. */
  void add(Buffer buffer) {
    count(buffer, 1);
  }

  /** Changes the state of a counted buffer. */
  void move(Buffer buffer, State next) {
    count(buffer, -1);
    buffer.enter(next);
    count(buffer, 1);
  }

  /** Makes a counted buffer GONE, and counts it no more. */
  void remove(Buffer buffer) {
    count(buffer, -1);
    buffer.enter(State.GONE);
  }

  private void count(Buffer buffer, int by) {
    Tally tally =
        switch (buffer.state()) {
          case BUILDING -> building;
          case DELIVERED -> delivered;
          case CLEARING -> clearing;
          case GONE -> throw new IllegalStateException(buffer + " is gone");
        };
    tally.buffers += by;
    tally.bytes += by * buffer.spaceBytes();
  }

  /** These counts, and those of gaps and one-way space. */
  BufferTotals totals(BufferSpace space, OneWaySpace oneWay) {
    return new BufferTotals(
        building.buffers,
        building.bytes,
        delivered.buffers,
        delivered.bytes,
        clearing.buffers,
        clearing.bytes,
        space.freeBytes(),
        space.largestGap(),
        oneWay.usedBytes(),
        oneWay.limitBytes());
  }

  /** Throws if the counts differ from those of these live buffers. */
  void check(Iterable<Buffer> live) {
    BufferCounts right = new BufferCounts();
    live.forEach(right::add);
    if (!building.isAsMuchAs(right.building)
        || !delivered.isAsMuchAs(right.delivered)
        || !clearing.isAsMuchAs(right.clearing)) {
      throw new IllegalStateException("the counts by state are not those of the live buffers");
    }
  }
}
