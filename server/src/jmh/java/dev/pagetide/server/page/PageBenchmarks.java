package dev.pagetide.server.page;

import static dev.pagetide.bench.BenchmarkTable.NO_LIMIT;

import dev.pagetide.bench.BenchmarkTable;
import dev.pagetide.bench.BenchmarkTable.Row;
import java.util.List;

/** The benchmarks of the page range and the shrinker, with their limits. */
public final class PageBenchmarks {
  private PageBenchmarks() {}

  /** Runs and prints; arguments as {@link BenchmarkTable#run}. */
  public static void main(String[] arguments) throws Exception {
    new BenchmarkTable(
            List.of(
                new Row(WarmUseBenchmark.class, "onePage", "bareOnePage", 1.35),
                new Row(WarmUseBenchmark.class, "sixteenPages", "bareSixteenPages", 1.35),
                new Row(FreshUseBenchmark.class, "freshPages", "bareFallocate", 1.25),
                new Row(SweepBenchmark.class, "count", "bareWords", NO_LIMIT),
                new Row(SweepBenchmark.class, "sweep", "bareWords", NO_LIMIT)))
        .run(arguments);
  }
}
