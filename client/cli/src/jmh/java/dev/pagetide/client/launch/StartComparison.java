package dev.pagetide.client.launch;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * How long does a start take with the AOT cache, beside one without it? Of the server, from its
 * start to its ready line; of {@code pagetide ranges}, from its start to its end.
 *
 * <p>The launchers of the built tree are started by turns, with the cache and, by an option beside
 * which they leave it out, without. Sketch: a start is mostly the loading of classes, which the
 * cache holds ready, so half of the time is expected.
 */
public final class StartComparison {
  private static final int ROUNDS = 25;
  private static final Path SERVER = Path.of("../../server/bin/pagetide-server");
  private static final Path CLIENT = Path.of("../bin/pagetide");

  /** The JVM's own default, beside which the launchers pass no cache. */
  private static final String WITHOUT_CACHE = "-Xshare:auto";

  private StartComparison() {}

  /** Compares. */
  public static void main(String[] arguments) throws Exception {
    for (Path cache :
        List.of(
            Path.of("../../server/target/pagetide-server.aot"),
            Path.of("../target/pagetide.aot"))) {
      if (!Files.exists(cache)) {
        System.out.println("StartComparison: left out, because there is no " + cache);
        return;
      }
    }
    Path directory = Files.createTempDirectory(Path.of("/tmp"), "pt-");
    try {
      compare(directory);
    } finally {
      try (Stream<Path> paths = Files.walk(directory)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }

  private static void compare(Path directory) throws Exception {
    long[][] server = new long[2][ROUNDS];
    long[][] client = new long[2][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      for (int way = 0; way < 2; way++) {
        String options = way == 0 ? "" : WITHOUT_CACHE;
        Path served = directory.resolve("run");
        long start = System.nanoTime();
        Process process = start(options, SERVER, "--dir", served.toString(), "--http=off");
        try {
          awaitReady(process);
          server[way][round] = System.nanoTime() - start;
          start = System.nanoTime();
          int status = start(options, CLIENT, "--dir", served.toString(), "ranges").waitFor();
          client[way][round] = System.nanoTime() - start;
          if (status != 0) {
            throw new IOException("pagetide ranges ended with " + status);
          }
        } finally {
          process.destroy();
          var _ = process.waitFor();
        }
      }
    }
    report("server to its ready line", server);
    report("pagetide ranges", client);
  }

  private static Process start(String options, Path launcher, String... arguments)
      throws IOException {
    List<String> command =
        Stream.concat(Stream.of(launcher.toString()), Arrays.stream(arguments)).toList();
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("PAGETIDE_JAVA_OPTS", options);
    return builder.start();
  }

  private static void awaitReady(Process process) throws IOException {
    BufferedReader output = process.inputReader();
    String line = output.readLine();
    if (line == null || !line.startsWith("ready ")) {
      throw new IOException("the server said " + line);
    }
  }

  private static void report(String what, long[][] nanos) {
    double with = medianMillis(nanos[0]);
    double without = medianMillis(nanos[1]);
    System.out.printf(
        "StartComparison: %s: %.0f ms with the AOT cache, %.0f ms without, ratio %.2f"
            + " (medians of %d)%n",
        what, with, without, with / without, ROUNDS);
  }

  private static double medianMillis(long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2] / 1e6;
  }
}
