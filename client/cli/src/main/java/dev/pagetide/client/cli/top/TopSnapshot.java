package dev.pagetide.client.cli.top;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ShrinkerClient;
import java.time.Instant;
import java.util.List;

/**
 * The server's answer to one question.
 *
 * @param at the time, for people
 * @param nanos the time, for differences
 * @param memory the state of the whole server's memory
 * @param ranges the live ranges, which may have changed since {@code memory} was reported
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
