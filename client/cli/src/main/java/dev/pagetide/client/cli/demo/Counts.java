package dev.pagetide.client.cli.demo;

import dev.pagetide.client.RangeStatus;

/**
 * Pages by state.
 *
 * @param free pages without memory
 * @param available pages with memory that no process uses
 * @param used pages in use
 */
record Counts(long free, long available, long used) {

  static final Counts NONE = new Counts(0, 0, 0);

  static Counts of(RangeStatus range) {
    return new Counts(range.freePages(), range.availablePages(), range.usedPages());
  }

  Counts plus(Counts other) {
    return new Counts(free + other.free, available + other.available, used + other.used);
  }
}
