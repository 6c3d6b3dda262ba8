package dev.pagetide.server.page;

import com.sun.management.ThreadMXBean;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.metrics.EventMeters;
import dev.pagetide.server.metrics.Registries;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.lang.management.ManagementFactory;
import java.time.InstantSource;
import java.util.Arrays;

/**
 * How long does a scrape take, and what does it allocate, with 10, 1,000 and 10,000 ranges of 4 MiB
 * open? Wanted: less than 100 ms with 10,000.
 *
 * <p>A scrape is what the endpoint does for one: it counts the pages anew, reads what clients say
 * in their headers, and writes the exposition. Once with real files that hold little, and once with
 * every page of all ranges resident, over files that give no memory ({@link TableOnlyFile}).
 *
 * <p>Sketch: writing is a few hundred lines, 1 ms; ten million words that are all resident are read
 * at 3 ns each, 30 ms; a header is a cache miss or two, 10,000 of them 2 ms.
 */
public final class ScrapeGrowth {
  private static final int[] RANGES = {10, 1_000, 10_000};
  private static final int PAGES = 1024;
  private static final int WARM_UP = 100;
  private static final int ROUNDS = 100;
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";

  private ScrapeGrowth() {}

  /** Prints two lines for each number of ranges. */
  public static void main(String[] args) {
    for (int ranges : RANGES) {
      measure("real files, 1 page resident of each 1024", ranges, PageFileMaker.MEMFD, 1);
      measure("all 1024 pages resident of each", ranges, TableOnlyFile::make, PAGES);
    }
  }

  private static void measure(String what, int count, PageFileMaker files, int resident) {
    PageBudget budget = PageBudget.root("--max-resident-bytes", TestRanges.UNLIMITED_PAGES);
    PrometheusMeterRegistry registry = Registries.prometheus();
    EventMeters meters = new EventMeters(registry);
    Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, meters);
    SessionRegistry sessions =
        new SessionRegistry(
            new SessionConfig(count, count, TestRanges.UNLIMITED_PAGES, TestRanges.UNLIMITED_PAGES),
            new RangeConfig(files, TestRanges.MAX_RANGE_BYTES, 1),
            budget,
            shrinker,
            InstantSource.system());
    meters.bind(shrinker, budget, sessions, files.pageSize());
    for (int i = 0; i < count; i++) {
      Session session =
          sessions.open(Peer.unix(1, 1), "", RangeMode.PAGES, TestRanges.MAX_RANGE_BYTES);
      session.range().useRange(0, resident);
      session.range().stopUsingRange(0, resident / 2);
    }
    long[] refreshNanos = new long[ROUNDS];
    long[] scrapeNanos = new long[ROUNDS];
    long[] cpuNanos = new long[ROUNDS];
    ThreadMXBean threads = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);
    long allocated = 0;
    int length = 0;
    for (int round = -WARM_UP; round < ROUNDS; round++) {
      int slot = Math.max(0, round);
      long before = threads.getCurrentThreadAllocatedBytes();
      long cpu = threads.getCurrentThreadCpuTime();
      long start = System.nanoTime();
      meters.refresh();
      refreshNanos[slot] = System.nanoTime() - start;
      length = registry.scrape(TEXT).length();
      scrapeNanos[slot] = System.nanoTime() - start;
      cpuNanos[slot] = threads.getCurrentThreadCpuTime() - cpu;
      allocated = threads.getCurrentThreadAllocatedBytes() - before;
    }
    Arrays.sort(refreshNanos);
    Arrays.sort(scrapeNanos);
    Arrays.sort(cpuNanos);
    System.out.printf(
        "%,6d ranges, %s: scrape %.1f ms (median), %.1f ms (longest of %d), %.1f ms of CPU"
            + " (median), counting %.1f ms of it; %,d bytes allocated for %,d characters%n",
        count,
        what,
        scrapeNanos[ROUNDS / 2] / 1e6,
        scrapeNanos[ROUNDS - 1] / 1e6,
        ROUNDS,
        cpuNanos[ROUNDS / 2] / 1e6,
        refreshNanos[ROUNDS / 2] / 1e6,
        allocated,
        length);
    for (Session session : sessions.sessionsAfter(0)) {
      session.range().close();
    }
    registry.close();
  }
}
