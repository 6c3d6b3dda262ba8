package dev.pagetide.bench;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs benchmarks in rounds, each against its baseline, and prints their ratios beside their
 * limits.
 *
 * <p>Each round is one fork of every benchmark, so a measured method and its baseline run within
 * seconds of each other, again and again: a machine that is slow for a while is slow for both. Two
 * ratios are printed, of the medians and of the minima over all iterations; where other work
 * disturbs the machine the minima are what the code costs.
 */
public final class BenchmarkTable {
  /** A limit that every ratio meets. */
  public static final double NO_LIMIT = Double.POSITIVE_INFINITY;

  /**
   * A comparison.
   *
   * @param type the class of both methods
   * @param measured the method in question
   * @param baseline what it is measured against
   * @param limit the largest ratio that is right
   */
  public record Row(Class<?> type, String measured, String baseline, double limit) {}

  private final List<Row> rows;

  /** A table of these rows; all benchmarks of their packages are run. */
  public BenchmarkTable(List<Row> rows) {
    this.rows = List.copyOf(rows);
  }

  /**
   * Runs and prints.
   *
   * @param arguments the number of rounds (5 unless given), and a regular expression that selects
   *     benchmarks
   */
  public void run(String... arguments) throws RunnerException {
    int rounds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
    String selected =
        arguments.length > 1 ? arguments[1] : rows.getFirst().type.getPackageName() + "\\..*";
    Map<String, List<Double>> scores = new TreeMap<>();
    Map<String, List<Double>> allocated = new TreeMap<>();
    for (int round = 0; round < rounds; round++) {
      for (RunResult result : run(selected)) {
        String name = name(result.getParams());
        for (BenchmarkResult fork : result.getBenchmarkResults()) {
          for (IterationResult iteration : fork.getIterationResults()) {
            scores
                .computeIfAbsent(name, n -> new ArrayList<>())
                .add(iteration.getPrimaryResult().getScore());
          }
        }
        allocated.computeIfAbsent(name, n -> new ArrayList<>()).add(bytesPerOperation(result));
      }
    }
    print(scores, allocated);
  }

  private static Collection<RunResult> run(String selected) throws RunnerException {
    Options options =
        new OptionsBuilder()
            .include(selected)
            .forks(1)
            .warmupIterations(5)
            .warmupTime(TimeValue.milliseconds(500))
            .measurementIterations(20)
            .measurementTime(TimeValue.milliseconds(250))
            .addProfiler(GCProfiler.class)
            .jvmArgs("--enable-native-access=ALL-UNNAMED", "-Xmx2g")
            .shouldFailOnError(true)
            .build();
    return new Runner(options).run();
  }

  private static double bytesPerOperation(RunResult result) {
    return requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm")).getScore();
  }

  private static String name(BenchmarkParams params) {
    StringBuilder name = new StringBuilder(params.getBenchmark());
    for (String key : params.getParamsKeys()) {
      name.append(' ').append(key).append('=').append(params.getParam(key));
    }
    return name.toString();
  }

  private void print(Map<String, List<Double>> scores, Map<String, List<Double>> allocated) {
    System.out.printf(
        Locale.ROOT,
        "%n%-48s %10s %10s %10s %10s %9s %9s %6s %8s%n",
        "benchmark",
        "min",
        "median",
        "base min",
        "base med.",
        "min/min",
        "med./med.",
        "limit",
        "B/op");
    scores.forEach((name, measured) -> {
      for (Row row : rows) {
        String prefix = row.type.getName() + ".";
        if (!name.split(" ", 2)[0].equals(prefix + row.measured)) {
          continue;
        }
        String baseline = name.replace(prefix + row.measured, prefix + row.baseline);
        List<Double> base = scores.get(baseline);
        if (base == null) {
          throw new IllegalStateException(name + " was run without its baseline " + baseline);
        }
        double ofMinima = min(measured) / min(base);
        double ofMedians = median(measured) / median(base);
        double limit = row.limit;
        System.out.printf(
            Locale.ROOT,
            "%-48s %10.2f %10.2f %10.2f %10.2f %9.3f %9.3f %6.2f %8.1f %s%n",
            name.substring(name.indexOf(row.type.getSimpleName())),
            min(measured),
            median(measured),
            min(base),
            median(base),
            ofMinima,
            ofMedians,
            limit,
            median(requireNonNull(allocated.get(name))),
            ofMedians <= limit ? "" : "MISSED");
      }
    });
  }

  private static double min(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
  }

  private static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}
