package dev.pagetide.server.page;

import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * At what rate does a scan reclaim, compared with the bare punches of the same runs?
 *
 * <p>The sketch: a punch of one page alone is 1 us, 2.8 us where a client has it mapped; of a page
 * in a run of 256, 0.2 to 0.6 us. For each page the scan sweeps two words (some ns), keeps and
 * sorts a candidate twice (80 ns), and does a compare-and-set (9 ns); for each run it reads the
 * clock twice. So about 0.1 us a page: nothing beside scattered pages, a good part beside a run.
 * The limits are 0.9 of the bare rate for scattered pages, 0.75 for contiguous ones.
 *
 * <p>Half of the AVAILABLE pages are scanned for, so that the scan has to find the oldest. Before
 * each invocation all pages of both kinds of range get memory again (and, where mapped, are
 * touched), outside the measured time, in the baseline too; an invocation takes half a millisecond
 * and more.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ScanBenchmark {
  private static final int RANGES = 4;
  private static final int PAGES = 1024;

  /** Pages from one AVAILABLE page to the next: 1 is contiguous, 2 and more is scattered. */
  @Param({"1", "2"})
  @SuppressWarnings("NullAway.Init")
  public int stride;

  /** Whether a client has the files mapped and has touched every page. */
  @Param({"false", "true"})
  @SuppressWarnings("NullAway.Init")
  public boolean mapped;

  private boolean bareFirst;

  private final TestRanges ranges = TestRanges.unlimited();
  private final List<ShrinkablePageRange> scanned = new ArrayList<>();
  private final List<ShrinkablePageRange> bare = new ArrayList<>();
  private final TestRanges others = TestRanges.unlimited();
  private final List<MemorySegment> mappings = new ArrayList<>();

  /** Registers the ranges. */
  @Setup(Level.Trial)
  public void open() throws IOException {
    for (int i = 0; i < RANGES; i++) {
      scanned.add(ranges.open(PAGES));
      bare.add(others.open(PAGES));
    }
    if (mapped) {
      mappings.addAll(ClientMappings.ofAllRanges());
    }
  }

  /** Gives all pages memory; every {@code stride}th of the scanned ranges is AVAILABLE then. */
  @Setup(Level.Invocation)
  public void fill() throws SystemCallException {
    // Who comes first alternates: the kernel frees what it gave last from warmer caches.
    bareFirst = !bareFirst;
    if (bareFirst) {
      fillBare();
    }
    for (ShrinkablePageRange range : scanned) {
      range.useRange(0, PAGES);
    }
    if (!bareFirst) {
      fillBare();
    }
    for (MemorySegment mapping : mappings) {
      for (long offset = 0; offset < mapping.byteSize(); offset += scanned.getFirst().pageSize()) {
        mapping.set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
      }
    }
    for (ShrinkablePageRange range : scanned) {
      for (int page = 0; page < PAGES; page += stride) {
        range.stopUsingRange(page, page + 1);
      }
    }
  }

  private void fillBare() throws SystemCallException {
    for (ShrinkablePageRange range : bare) {
      range.file().allocate(0, PAGES);
    }
  }

  private int pagesToTake() {
    return RANGES / 2 * (PAGES / stride);
  }

  /** Gives the memory back. */
  @TearDown
  public void close() {
    ranges.close();
    others.close();
  }

  /** The baseline: the punches that the scan makes, a run each, at most 256 pages. */
  @Benchmark
  public void barePunches() throws SystemCallException {
    int run = stride == 1 ? ResidentPages.MAX_PAGES_PER_HOLD : 1;
    for (int i = 0; i < RANGES / 2; i++) {
      PageFile file = bare.get(i).file();
      for (int page = 0; page < PAGES; page += run * stride) {
        file.punch(page, page + run);
      }
    }
  }

  /** A scan for half of what is AVAILABLE. */
  @Benchmark
  public long scan() {
    long reclaimed = ranges.shrinker.scan(pagesToTake()).reclaimed();
    if (reclaimed != pagesToTake()) {
      throw new IllegalStateException("reclaimed=" + reclaimed + " of " + pagesToTake());
    }
    return reclaimed;
  }
}
