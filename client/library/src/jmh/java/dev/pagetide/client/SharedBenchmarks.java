package dev.pagetide.client;

import static dev.pagetide.bench.BenchmarkTable.NO_LIMIT;

import dev.pagetide.bench.BenchmarkTable;
import dev.pagetide.bench.BenchmarkTable.Row;
import java.util.List;

/** The benchmarks of the mapped range, and of the cache over it, with their limits. */
public final class SharedBenchmarks {
  private SharedBenchmarks() {}

  /** Runs and prints; arguments as {@link BenchmarkTable#run}. */
  public static void main(String[] arguments) throws Exception {
    Class<?> type = SharedUseBenchmark.class;
    Class<?> hits = PageCacheBenchmark.class;
    new BenchmarkTable(
            List.of(
                new Row(type, "onePage", "bareOnePage", 1.35),
                new Row(type, "sixteenPages", "bareSixteenPages", 1.35),
                new Row(type, "scopeOfOnePage", "bareOnePage", NO_LIMIT),
                new Row(type, "scopeOfSixteenPages", "bareSixteenPages", NO_LIMIT),
                new Row(type, "onePageByRpc", "bareOnePage", NO_LIMIT),
                new Row(type, "copyOfOnePage", "bareOnePage", NO_LIMIT),
                new Row(hits, "hitOnOnePage", "bareOnePage", NO_LIMIT),
                new Row(hits, "hitOnSixteenPages", "bareSixteenPages", 3.0)))
        .run(arguments);
  }
}
