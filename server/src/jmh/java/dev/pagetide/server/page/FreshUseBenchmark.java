package dev.pagetide.server.page;

import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What does a use of 256 pages cost that have no memory?
 *
 * <p>The sketch: one {@code fallocate} of 256 pages, 0.86 us a page, 220 us. On top: one fstat that
 * looks for strays (0.3 us), one punch of nothing (1 us), 256 bits and 256 compare-and-sets (3 us),
 * the budget, two holds of the lock, the answer. The limit is 1.25 times one bare {@code fallocate}
 * of the same 256 pages.
 *
 * <p>Before each invocation the pages are made FREE again, outside the measured time, in the
 * baseline too: an invocation is long enough (a quarter of a millisecond) for its own timestamps.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class FreshUseBenchmark {
  private static final int PAGES = 256;

  private final TestRanges ranges = TestRanges.unlimited();
  private final ShrinkablePageRange range = ranges.open(PAGES);
  private final PageFile bare = ranges.open(PAGES).file();

  /** Makes the pages of both files FREE. */
  @Setup(Level.Invocation)
  public void free() throws SystemCallException {
    range.stopUsingRange(0, PAGES);
    ranges.shrinker.scan(PAGES);
    bare.punch(0, PAGES);
  }

  /** Gives the memory back. */
  @TearDown
  public void close() {
    ranges.close();
  }

  /** The baseline: one {@code fallocate}. */
  @Benchmark
  public void bareFallocate() throws SystemCallException {
    bare.allocate(0, PAGES);
  }

  /** Use of as many FREE pages. */
  @Benchmark
  public PageSpans freshPages() {
    return range.useRange(0, PAGES);
  }
}
