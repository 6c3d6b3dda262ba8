package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * At what rate does a scan reclaim, beside bare punches of the same runs? At least 0.9 of it for
 * scattered pages is wanted (a ratio of times of 1.11), 0.75 for contiguous ones (1.33).
 *
 * <p>A program and not a JMH benchmark, because the two take turns: whatever else the machine does
 * hits both, so their medians compare. Half of the AVAILABLE pages are scanned for, so that the
 * scan has to find the oldest. Also says where a scan's time goes.
 *
 * <p>Sketch: beside the punches a scan sweeps (10 ns a word) and chooses, orders, and takes by
 * compare-and-set (40 ns a page): nothing beside single pages, a third beside runs of 256.
 */
public final class ScanComparison {
  private static final int RANGES = 4;
  private static final int PAGES = 1024;
  private static final int WARM_UP_ROUNDS = 1_500;
  private static final int ROUNDS = 500;

  private final int stride;
  private final Steps steps = new Steps();
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1L << 40);
  private final Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, steps);
  private final TestRanges others = TestRanges.unlimited();
  private final List<ShrinkablePageRange> scanned = new ArrayList<>();
  private final List<ShrinkablePageRange> bare = new ArrayList<>();
  private final List<MemorySegment> mappings;

  /** How long the steps of one scan took; confined to the thread that scans. */
  private static final class Steps implements PageObserver {
    private long punchNanos;
    private long sweepNanos;

    @Override
    public void punched(int pages, long nanos) {
      punchNanos += nanos;
    }

    @Override
    public void swept(long nanos) {
      sweepNanos += nanos;
    }
  }

  private ScanComparison(int stride, boolean mapped) throws IOException {
    this.stride = stride;
    RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 1);
    for (int i = 0; i < RANGES; i++) {
      scanned.add(
          ShrinkablePageRange.register(
              i + 1, RangeMode.PAGES, others.bytes(PAGES), config, budget, shrinker));
      bare.add(others.open(PAGES));
    }
    this.mappings = mapped ? ClientMappings.ofAllRanges() : List.of();
  }

  /** Compares both kinds of runs, in files that nobody and that a client has mapped. */
  public static void main(String[] args) throws Exception {
    for (boolean mapped : new boolean[] {false, true}) {
      for (int stride = 1; stride <= 2; stride++) {
        new ScanComparison(stride, mapped).compare(mapped);
      }
    }
  }

  private void compare(boolean mapped) throws SystemCallException {
    long[] scanNanos = new long[ROUNDS];
    long[] punchNanos = new long[ROUNDS];
    long[] sweepNanos = new long[ROUNDS];
    long[] bareNanos = new long[ROUNDS];
    for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      int slot = Math.max(0, round);
      boolean scanFirst = (round & 1) == 0;
      for (int turn = 0; turn < 2; turn++) {
        // Who is filled first alternates, too: the kernel frees what it gave last from warm caches.
        fill((round & 2) == 0);
        if ((turn == 0) == scanFirst) {
          steps.punchNanos = 0;
          steps.sweepNanos = 0;
          scanNanos[slot] = scan();
          punchNanos[slot] = steps.punchNanos;
          sweepNanos[slot] = steps.sweepNanos;
        } else {
          bareNanos[slot] = punchBare();
        }
      }
    }
    double scan = median(scanNanos);
    double punches = median(bareNanos);
    System.out.printf(
        "scan of %d %s pages, %s: %.0f us, bare punches %.0f us, ratio %.2f; in the scan: punches"
            + " %.0f, sweep %.0f, the rest %.0f us%n",
        pagesToTake(),
        stride == 1 ? "contiguous" : "scattered",
        mapped ? "mapped" : "not mapped",
        scan / 1e3,
        punches / 1e3,
        scan / punches,
        median(punchNanos) / 1e3,
        median(sweepNanos) / 1e3,
        (scan - median(punchNanos) - median(sweepNanos)) / 1e3);
    scanned.forEach(ShrinkablePageRange::close);
    others.close();
  }

  private void fill(boolean bareFirst) throws SystemCallException {
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
    // In the runs in which a use allocates: how memory was given decides what taking it costs.
    for (ShrinkablePageRange range : bare) {
      for (int page = 0; page < PAGES; page += ResidentPages.MAX_PAGES_PER_HOLD) {
        range.file().allocate(page, page + ResidentPages.MAX_PAGES_PER_HOLD);
      }
    }
  }

  private int pagesToTake() {
    return RANGES / 2 * (PAGES / stride);
  }

  private long scan() {
    long start = System.nanoTime();
    long reclaimed = shrinker.scan(pagesToTake()).reclaimed();
    long nanos = System.nanoTime() - start;
    if (reclaimed != pagesToTake()) {
      throw new IllegalStateException("reclaimed=" + reclaimed + " of " + pagesToTake());
    }
    return nanos;
  }

  private long punchBare() throws SystemCallException {
    int run = stride == 1 ? ResidentPages.MAX_PAGES_PER_HOLD : 1;
    long start = System.nanoTime();
    for (int i = 0; i < RANGES / 2; i++) {
      PageFile file = bare.get(i).file();
      for (int page = 0; page < PAGES; page += run * stride) {
        file.punch(page, page + run);
      }
    }
    return System.nanoTime() - start;
  }

  private static double median(long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
