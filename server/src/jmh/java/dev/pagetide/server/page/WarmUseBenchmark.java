package dev.pagetide.server.page;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What does it cost to use pages that are warm, and to stop using them?
 *
 * <p>The sketch: one compare-and-set for each page to USED, another back, one clock read for the
 * whole stop: 9 ns each and 20 to 50 ns for the clock, so about 60 ns for one page and 0.35 us for
 * 16. A look at the resident bit and at the word come on top, one or two ns a page, and for several
 * pages the gate's two read-modify-writes. Nothing is allocated, nothing locked. The limit is 1.35
 * times the bare compare-and-sets and the clock read, and 0 bytes an operation.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class WarmUseBenchmark {
  private static final int PAGES = 16;

  private final TestRanges ranges = TestRanges.unlimited();
  private final ShrinkablePageRange range = ranges.open(PAGES);

  /** The table of a range that nobody uses: the same kind of memory, for the baseline alone. */
  private final PageTable bare = ranges.open(PAGES).table();

  /** Pages that hold memory and are AVAILABLE. */
  public WarmUseBenchmark() {
    range.useRange(0, PAGES);
    range.stopUsingRange(0, PAGES);
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, 0, PageWord.USED_WORD);
    }
  }

  /** Gives the memory back. */
  @TearDown
  public void close() {
    ranges.close();
  }

  /** The baseline for one page: USED to AVAILABLE and back, stamped. */
  @Benchmark
  public void bareOnePage() {
    long available = PageWord.available(System.nanoTime());
    bare.casWord(0, PageWord.USED_WORD, available);
    bare.casWord(0, available, PageWord.USED_WORD);
  }

  /** Use and stop of one page. */
  @Benchmark
  public void onePage() {
    range.useRange(0, 1);
    range.stopUsingRange(0, 1);
  }

  /** The baseline for 16 pages: all to AVAILABLE with one stamp, all back. */
  @Benchmark
  public void bareSixteenPages() {
    long available = PageWord.available(System.nanoTime());
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, PageWord.USED_WORD, available);
    }
    for (int page = 0; page < PAGES; page++) {
      bare.casWord(page, available, PageWord.USED_WORD);
    }
  }

  /** Use and stop of 16 neighbouring pages by one call each. */
  @Benchmark
  public void sixteenPages() {
    range.useRange(0, PAGES);
    range.stopUsingRange(0, PAGES);
  }
}
