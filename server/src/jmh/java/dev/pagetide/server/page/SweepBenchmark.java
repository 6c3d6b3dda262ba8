package dev.pagetide.server.page;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What does it cost to count, and to find the oldest of, a million AVAILABLE pages?
 *
 * <p>The sketch: a million words are 8 MiB; reading them alone is 1.3 ms. A count looks at a bit
 * for each on top. A sweep that queues 65,536 (a sixteenth, as a small scan of so many pages does)
 * turns most words away by one comparison, and selects and sorts the rest: about 12 ms.
 *
 * <p>The ranges are 1,024 {@link StoppedRanges}: the words and the bits are all that is looked at.
 * The baseline reads the same words. {@link SweepGrowth} asks for other sizes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class SweepBenchmark {
  private static final int RANGES = 1024;

  private final StoppedRanges ranges = new StoppedRanges(RANGES);
  private final int queued = ranges.pageCount() / 16;

  /** Gives the memory back. */
  @TearDown
  public void close() {
    ranges.close();
  }

  /** The baseline: reads every word and counts those that are AVAILABLE. */
  @Benchmark
  public long bareWords() {
    return ranges.bareWords();
  }

  /** {@link Shrinker#count}. */
  @Benchmark
  public long count() {
    return ranges.count();
  }

  /** A sweep into an empty queue. */
  @Benchmark
  public int sweep() {
    return ranges.sweep(queued);
  }
}
