package dev.pagetide.client.hostile;

import java.util.Arrays;
import java.util.Locale;

/** How long each of many operations took. For one thread at a time. */
final class Latencies {
  private long[] nanos = new long[1 << 10];
  private int size;

  /**
   * What they come to.
   *
   * @param count how many there were
   * @param meanMicros their average
   * @param p99Micros what 99 of 100 did not exceed
   * @param maxMicros the longest
   */
  record Summary(long count, double meanMicros, double p99Micros, double maxMicros) {
    /** Reads what {@link #toLine} wrote. */
    static Summary parse(String line) {
      String[] words = line.split(" ", -1);
      return new Summary(
          Long.parseLong(words[0]),
          Double.parseDouble(words[1]),
          Double.parseDouble(words[2]),
          Double.parseDouble(words[3]));
    }

    /** Four words. */
    String toLine() {
      return String.format(
          Locale.ROOT, "%d %.4f %.4f %.4f", count, meanMicros, p99Micros, maxMicros);
    }
  }

  void add(long took) {
    if (size == nanos.length) {
      nanos = Arrays.copyOf(nanos, 2 * size);
    }
    nanos[size] = took;
    size++;
  }

  Summary summary() {
    if (size == 0) {
      return new Summary(0, 0, 0, 0);
    }
    long[] sorted = Arrays.copyOf(nanos, size);
    Arrays.sort(sorted);
    return new Summary(
        size,
        Arrays.stream(sorted).average().orElseThrow() / 1e3,
        sorted[(int) (size * 99L / 100)] / 1e3,
        sorted[size - 1] / 1e3);
  }
}
