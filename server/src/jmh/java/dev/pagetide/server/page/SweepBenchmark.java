package dev.pagetide.server.page;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
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
 * <p>The ranges are 1,024 of 1,024 pages, as a server has them, over files that give no memory
 * ({@link TableOnlyFile}): the words and the bits are all that is looked at. The baseline reads the
 * same words.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class SweepBenchmark {
  private static final int RANGES = 1024;
  private static final int PAGES = 1024;
  private static final int QUEUED = RANGES * PAGES / 16;

  private final TestRanges ranges =
      new TestRanges(TestRanges.UNLIMITED_PAGES, PageClock.MONOTONIC, TableOnlyFile::make);
  private final List<ShrinkablePageRange> swept = new ArrayList<>();

  /** Registers the ranges, and stops their pages in an order that neither page nor range has. */
  public SweepBenchmark() {
    for (int i = 0; i < RANGES; i++) {
      ShrinkablePageRange range = ranges.open(PAGES);
      range.useRange(0, PAGES);
      swept.add(range);
    }
    for (int i = 0; i < RANGES * PAGES; i++) {
      int place = i * 611_953 & RANGES * PAGES - 1; // odd, so it goes round all of them
      swept.get(place / PAGES).stopUsingRange(place % PAGES, place % PAGES + 1);
    }
  }

  /** Gives the memory back. */
  @TearDown
  public void close() {
    ranges.close();
  }

  /** The baseline: reads every word and counts those that are AVAILABLE. */
  @Benchmark
  public long bareWords() {
    long available = 0;
    for (ShrinkablePageRange range : swept) {
      PageTable table = range.table();
      for (int page = 0; page < PAGES; page++) {
        if (PageWord.state(table.wordAcquire(page)) == PageWord.AVAILABLE) {
          available++;
        }
      }
    }
    return available;
  }

  /** {@link Shrinker#count}. */
  @Benchmark
  public long count() {
    return ranges.shrinker.count();
  }

  /** A sweep into an empty queue. */
  @Benchmark
  public int sweep() {
    EvictionQueue queue = new EvictionQueue(PageClock.MONOTONIC, PageObserver.NONE);
    return queue.sweep(swept, Set.of(), QUEUED, false).queued();
  }
}
