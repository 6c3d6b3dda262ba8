package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.metrics.EventMeters;
import dev.pagetide.server.metrics.Registries;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Does a warm use + stop cost more where meters are bound and scraped than where there are none? No
 * measurable difference is wanted: a ratio of the medians between 0.95 and 1.05.
 *
 * <p>A program and not a JMH benchmark, because the two take turns, some microseconds each:
 * whatever else the machine does hits both. A scrape comes five times a second, 75 times as often
 * as Prometheus does by our configuration.
 *
 * <p>Sketch: the counts of the warm path are kept whether or not anybody reads them, in cells that
 * the counting thread alone writes; a scrape reads those cells and the page words.
 */
public final class MeteredUseComparison {
  private static final int PAIRS_A_TURN = 64;
  private static final int WARM_UP_TURNS = 100_000;
  private static final int TURNS = 200_000;
  private static final int SCRAPE_MILLIS = 200;
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";

  private MeteredUseComparison() {}

  /** Prints a line for one page and a line for sixteen. */
  public static void main(String[] args) {
    compare(1);
    compare(16);
  }

  private static void compare(int pages) {
    PrometheusMeterRegistry registry = Registries.prometheus();
    EventMeters meters = new EventMeters(registry);
    try (TestRanges plain = TestRanges.unlimited();
        TestRanges metered =
            new TestRanges(
                TestRanges.UNLIMITED_PAGES,
                PageClock.MONOTONIC,
                PageFileMaker.MEMFD,
                meters,
                ReclaimConfig.NONE);
        ScheduledExecutorService scraper = Executors.newSingleThreadScheduledExecutor()) {
      SessionRegistry sessions =
          new SessionRegistry(
              new SessionConfig(1, 1, 1, 1),
              new RangeConfig(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 1),
              metered.budget,
              metered.shrinker,
              InstantSource.system());
      meters.bind(metered.shrinker, metered.budget, sessions, PageFileMaker.MEMFD.pageSize());
      var _ =
          scraper.scheduleAtFixedRate(
              () -> {
                meters.refresh();
                if (registry.scrape(TEXT).isEmpty()) {
                  throw new AssertionError("an empty scrape");
                }
              },
              0,
              SCRAPE_MILLIS,
              TimeUnit.MILLISECONDS);
      report(pages, plain.open(pages), metered.open(pages));
      scraper.shutdownNow();
    }
    registry.close();
  }

  private static void report(int pages, ShrinkablePageRange plain, ShrinkablePageRange metered) {
    plain.useRange(0, pages);
    metered.useRange(0, pages);
    double[] plainNanos = new double[TURNS];
    double[] meteredNanos = new double[TURNS];
    for (int turn = -WARM_UP_TURNS; turn < TURNS; turn++) {
      // Who goes first alternates, so that neither always finds the caches as the other left them.
      boolean plainFirst = (turn & 1) == 0;
      double first = time(plainFirst ? plain : metered, pages);
      double second = time(plainFirst ? metered : plain, pages);
      if (turn >= 0) {
        plainNanos[turn] = plainFirst ? first : second;
        meteredNanos[turn] = plainFirst ? second : first;
      }
    }
    Arrays.sort(plainNanos);
    Arrays.sort(meteredNanos);
    System.out.printf(
        "warm use + stop of %d pages: metered and scraped %.1f ns (median), without meters %.1f ns,"
            + " ratio %.3f; best hundredth %.1f and %.1f ns, ratio %.3f%n",
        pages,
        meteredNanos[TURNS / 2],
        plainNanos[TURNS / 2],
        meteredNanos[TURNS / 2] / plainNanos[TURNS / 2],
        meteredNanos[TURNS / 100],
        plainNanos[TURNS / 100],
        meteredNanos[TURNS / 100] / plainNanos[TURNS / 100]);
  }

  private static double time(ShrinkablePageRange range, int pages) {
    long start = System.nanoTime();
    for (int pair = 0; pair < PAIRS_A_TURN; pair++) {
      range.stopUsingRange(0, pages);
      range.useRange(0, pages);
    }
    return (double) (System.nanoTime() - start) / PAIRS_A_TURN;
  }
}
