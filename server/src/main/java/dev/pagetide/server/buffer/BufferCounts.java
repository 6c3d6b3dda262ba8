package dev.pagetide.server.buffer;

import dev.pagetide.server.buffer.Buffer.State;

/**
 * How many live buffers are in each state. Not thread-safe: guarded by its allocator's lock.
 *
 * <p>All changes of a live buffer's state are made here, so that none is made without its count.
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

  /** A buffer comes, in the state it is in. */
  void add(Buffer buffer) {
    count(buffer, 1);
  }

  /** A counted buffer goes into another state. */
  void move(Buffer buffer, State next) {
    count(buffer, -1);
    buffer.enter(next);
    count(buffer, 1);
  }

  /** A counted buffer is GONE. */
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

  /** Throws if what is counted is not what these live buffers are. */
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
