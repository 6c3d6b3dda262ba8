package dev.pagetide.server.page;

import java.util.Arrays;
import java.util.function.LongSupplier;

/**
 * How do the costs of a count and of a sweep grow from ten thousand AVAILABLE pages to ten million?
 *
 * <p>{@link SweepBenchmark} asks for one size. Here, too, the baseline reads the same words, and a
 * sweep queues a sixteenth of them. A program and not a JMH benchmark, because ten million pages
 * are made once and not for each fork.
 *
 * <p>Sketch: all are linear, about 2 ns a page for the words and the count and 15 for the sweep, as
 * long as the words fit the caches; those of ten million pages are 80 MB and do not.
 */
public final class SweepGrowth {
  private static final int[] PAGES = {10_000, 100_000, 1_000_000, 10_000_000};

  /** Each size is gone through so often that this many pages are: small ones are warm, too. */
  private static final long PAGES_IN_ALL = 200_000_000;

  private static final int QUEUED_SHARE = 16;

  /** As {@code Shrinker} does: small servers queue more than their sixteenth. */
  private static final int MIN_QUEUED = 1024;

  private SweepGrowth() {}

  /** Prints a line a size. */
  public static void main(String[] args) {
    for (int pages : PAGES) {
      StoppedRanges ranges = StoppedRanges.ofPages(pages);
      int all = ranges.pageCount();
      int most = Math.max(MIN_QUEUED, all / QUEUED_SHARE);
      int rounds = (int) (PAGES_IN_ALL / all);
      double words = median(rounds, all, ranges::bareWords);
      double count = median(rounds, all, ranges::count);
      double sweep = median(rounds, most, () -> ranges.sweep(most));
      System.out.printf(
          "%,11d pages: words %9.1f us, count %9.1f us (%.1f ns a page), sweep of %,7d %9.1f us"
              + " (%.1f ns a page, %.1f times the words)%n",
          all,
          words / 1e3,
          count / 1e3,
          count / all,
          most,
          sweep / 1e3,
          sweep / all,
          sweep / words);
      ranges.close();
    }
  }

  /** The median in nanoseconds; the first third of the rounds warms up. */
  private static double median(int rounds, long expected, LongSupplier measured) {
    long[] nanos = new long[rounds];
    for (int round = 0; round < rounds; round++) {
      long start = System.nanoTime();
      long result = measured.getAsLong();
      nanos[round] = System.nanoTime() - start;
      if (result != expected) {
        throw new IllegalStateException("result=" + result + ", expected " + expected);
      }
    }
    long[] warm = Arrays.copyOfRange(nanos, rounds / 3, rounds);
    Arrays.sort(warm);
    return warm[warm.length / 2];
  }
}
