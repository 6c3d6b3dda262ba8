package dev.pagetide.client.cli.demo;

import java.time.Duration;
import java.util.Arrays;
import java.util.function.LongSupplier;

/**
 * Measures how long something takes once it is warm. It is repeated until the JVMs that take part
 * have had time to compile it. Then it is timed so often that a few slow rounds do not count.
 */
final class WarmTiming {

  private WarmTiming() {}

  /**
   * The median time of {@code work}, in nanoseconds.
   *
   * @param warmUp how long it is repeated before any time counts; at least once
   * @param samples how often it is timed; odd, so that one of them is the median
   */
  static long medianNanos(Duration warmUp, int samples, Runnable work) {
    return medianNanos(System::nanoTime, warmUp, samples, work);
  }

  /** The same by another clock, whose nanoseconds may begin anywhere. */
  static long medianNanos(LongSupplier clock, Duration warmUp, int samples, Runnable work) {
    long begin = clock.getAsLong();
    do {
      work.run();
    } while (clock.getAsLong() - begin < warmUp.toNanos());
    long[] nanos = new long[samples];
    for (int i = 0; i < samples; i++) {
      long start = clock.getAsLong();
      work.run();
      nanos[i] = clock.getAsLong() - start;
    }
    Arrays.sort(nanos);
    return nanos[samples / 2];
  }
}
