package dev.pagetide.client.cli.top;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ShrinkerClient;
import java.time.Instant;
import java.util.List;

/**
 * What the server said when it was asked once.
 *
 * @param at when, for people
 * @param nanos when, for differences
 * @param memory how the whole server's memory stands
 * @param ranges the live ranges, which may have changed since {@code memory} was told
 */
record TopSnapshot(Instant at, long nanos, MemoryStatus memory, List<RangeStatus> ranges) {

  /** Keeps a copy of {@code ranges}. */
  TopSnapshot {
    ranges = List.copyOf(ranges);
  }

  /**
   * Asks the server.
   *
   * @throws dev.pagetide.client.PagetideException as the shrinker's calls do
   */
  static TopSnapshot of(ShrinkerClient shrinker) {
    MemoryStatus memory = shrinker.memory();
    List<RangeStatus> ranges = shrinker.listRanges();
    return new TopSnapshot(Instant.now(), System.nanoTime(), memory, ranges);
  }
}
