package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;

/**
 * At what rate is 1 GiB of AVAILABLE pages reclaimed, by one scan and in the batches of background
 * reclaim, beside bare punches of the same runs? At least 0.75 of it is wanted for contiguous
 * pages, 0.9 for scattered ones.
 *
 * <p>{@link ScanComparison} asks the same of 4 ranges, whose words stay in the caches; here they
 * are 256 of 4 MiB, or, where every other page is left USED, 512. Each round all take turns, each
 * after a filling of its own, so whatever else the machine does hits all; medians compare, and,
 * where other work disturbs the machine, the best rounds.
 *
 * <p>Sketch: contiguous, a punch costs 0.7 us a page, scattered 1.4; a batch finds its candidates
 * queued by a sweep of a sixteenth of all, so that taking all of them, a quarter of a million
 * pages, takes some 60 sweeps, each of the words of those ranges that still hold pages.
 */
public final class ReclaimRateComparison {
  private static final int PAGES = 1024;
  private static final int AVAILABLE = 1 << 18;
  private static final int WARM_UP_ROUNDS = 2;
  private static final int ROUNDS = 7;

  /** As {@code BackgroundReclaim} takes them between the watermarks. */
  private static final int WATERMARK_BATCH = 1024;

  /** As {@code PressureRounds} takes them while the host is short of memory. */
  private static final int PRESSURE_BATCH = 1024;

  private final int stride;
  private final Steps steps = new Steps();
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1L << 40);
  private final Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, steps);
  private final Side scanned;
  private final Side bare;

  /** How long the steps of one way took; confined to the thread that scans. */
  private static final class Steps implements PageObserver {
    private long punchNanos;
    private long sweepNanos;
    private int sweeps;

    @Override
    public void punched(int pages, long nanos) {
      punchNanos += nanos;
    }

    @Override
    public void swept(long nanos) {
      sweepNanos += nanos;
      sweeps++;
    }
  }

  /** One way to take all pages, and what it took in each round. */
  private static final class Way {
    private final String name;
    private final Work filling;
    private final Work taking;
    private final long[] nanos = new long[ROUNDS];
    private long bestNanos;
    private long bestPunchNanos;
    private long bestSweepNanos;
    private int sweeps;

    Way(String name, Work filling, Work taking) {
      this.name = name;
      this.filling = filling;
      this.taking = taking;
    }

    long median() {
      long[] sorted = nanos.clone();
      Arrays.sort(sorted);
      return sorted[sorted.length / 2];
    }
  }

  /**
   * Half of the ranges: those that are scanned, or those whose files are punched.
   *
   * @param ranges open ones
   * @param mappings their data as a client has it, or none
   */
  private record Side(List<ShrinkablePageRange> ranges, List<MemorySegment> mappings) {
    static Side open(long firstId, int count, boolean mapped, PageBudget budget, Shrinker shrinker)
        throws IOException {
      RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 1);
      long sizeBytes = (long) PAGES * PageFileMaker.MEMFD.pageSize();
      List<ShrinkablePageRange> ranges = new ArrayList<>();
      for (long id = firstId; id < firstId + count; id++) {
        ranges.add(
            ShrinkablePageRange.register(id, RangeMode.PAGES, sizeBytes, config, budget, shrinker));
      }
      return new Side(
          ranges, mapped ? ClientMappings.ofRanges(firstId, firstId + count) : List.of());
    }

    void touch() {
      for (MemorySegment mapping : mappings) {
        for (long offset = 0;
            offset < mapping.byteSize();
            offset += PageFileMaker.MEMFD.pageSize()) {
          mapping.set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
        }
      }
    }
  }

  /** Gives memory to pages, or takes it from them; tells how many may be, or were, taken. */
  private interface Work {
    long pages() throws SystemCallException;
  }

  private ReclaimRateComparison(int stride, boolean mapped) throws IOException {
    this.stride = stride;
    int ranges = AVAILABLE / PAGES * stride;
    this.scanned = Side.open(1, ranges, mapped, budget, shrinker);
    TestRanges others = TestRanges.unlimited();
    this.bare = Side.open(1 + ranges, ranges, mapped, others.budget, others.shrinker);
  }

  /** Compares both kinds of runs, in files that nobody and that a client has mapped. */
  public static void main(String[] args) throws Exception {
    for (boolean mapped : new boolean[] {false, true}) {
      for (int stride = 1; stride <= 2; stride++) {
        new ReclaimRateComparison(stride, mapped).compare(mapped);
      }
    }
  }

  private void compare(boolean mapped) throws SystemCallException {
    Way bareWay = new Way("bare punches", this::fillBare, this::punchBare);
    Way whole = new Way("one scan", this::fillScanned, this::scanOnce);
    Way pressure = new Way("scans of " + PRESSURE_BATCH, this::fillScanned, this::scanForPressure);
    Way watermark =
        new Way("fair scans of " + WATERMARK_BATCH, this::fillScanned, this::scanFairly);
    List<Way> ways = new ArrayList<>(List.of(bareWay, whole, pressure, watermark));
    Random random = new Random(1);
    for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      // Who comes after whom matters: the kernel gives what it was given back last.
      Collections.shuffle(ways, random);
      for (Way way : ways) {
        measure(way, Math.max(0, round));
      }
    }
    String kind =
        "1 GiB of %s pages, %s"
            .formatted(stride == 1 ? "contiguous" : "scattered", mapped ? "mapped" : "not mapped");
    report(kind, whole, bareWay);
    report(kind, pressure, bareWay);
    report(kind, watermark, bareWay);
    scanned.ranges.forEach(ShrinkablePageRange::close);
    bare.ranges.forEach(ShrinkablePageRange::close);
  }

  private void measure(Way way, int slot) throws SystemCallException {
    long _ = way.filling.pages();
    steps.punchNanos = 0;
    steps.sweepNanos = 0;
    steps.sweeps = 0;
    long start = System.nanoTime();
    long pages = way.taking.pages();
    way.nanos[slot] = System.nanoTime() - start;
    if (slot == 0 || way.nanos[slot] < way.bestNanos) {
      way.bestNanos = way.nanos[slot];
      way.bestPunchNanos = steps.punchNanos;
      way.bestSweepNanos = steps.sweepNanos;
      way.sweeps = steps.sweeps;
    }
    if (pages != AVAILABLE) {
      throw new IllegalStateException(way.name + " took " + pages + " pages of " + AVAILABLE);
    }
  }

  private long fillScanned() {
    for (ShrinkablePageRange range : scanned.ranges) {
      range.useRange(0, PAGES);
    }
    scanned.touch();
    for (ShrinkablePageRange range : scanned.ranges) {
      for (int page = 0; page < PAGES; page += stride) {
        range.stopUsingRange(page, page + 1);
      }
    }
    return AVAILABLE;
  }

  private long fillBare() throws SystemCallException {
    // In the runs in which a use allocates: how memory was given decides what taking it costs.
    for (ShrinkablePageRange range : bare.ranges) {
      for (int page = 0; page < PAGES; page += ResidentPages.MAX_PAGES_PER_HOLD) {
        range.file().allocate(page, page + ResidentPages.MAX_PAGES_PER_HOLD);
      }
    }
    bare.touch();
    return AVAILABLE;
  }

  private long scanOnce() {
    return shrinker.scan(AVAILABLE).reclaimed();
  }

  private long scanForPressure() {
    return inBatches(() -> shrinker.scan(PRESSURE_BATCH, ReclaimTrigger.CGROUP));
  }

  private long scanFairly() {
    return inBatches(() -> shrinker.scanFairly(WATERMARK_BATCH, ReclaimTrigger.WATERMARK));
  }

  private static long inBatches(Supplier<ScanResult> scan) {
    long reclaimed = 0;
    long batch;
    do {
      batch = scan.get().reclaimed();
      reclaimed += batch;
    } while (batch > 0 && reclaimed < AVAILABLE);
    return reclaimed;
  }

  private long punchBare() throws SystemCallException {
    int run = stride == 1 ? ResidentPages.MAX_PAGES_PER_HOLD : 1;
    long punched = 0;
    for (ShrinkablePageRange range : bare.ranges) {
      PageFile file = range.file();
      for (int page = 0; page < PAGES; page += run * stride) {
        file.punch(page, page + run);
        punched += run;
      }
    }
    return punched;
  }

  private static void report(String kind, Way way, Way bareWay) {
    System.out.printf(
        "%s, %s: %.0f ms (median), %.0f (best), bare punches %.0f, %.0f ms, rates' ratio %.2f,"
            + " %.2f; in the best round: punches %.0f, %d sweeps %.0f ms%n",
        kind,
        way.name,
        way.median() / 1e6,
        way.bestNanos / 1e6,
        bareWay.median() / 1e6,
        bareWay.bestNanos / 1e6,
        (double) bareWay.median() / way.median(),
        (double) bareWay.bestNanos / way.bestNanos,
        way.bestPunchNanos / 1e6,
        way.sweeps,
        way.bestSweepNanos / 1e6);
  }
}
