package dev.pagetide.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs benchmarks one after the other, each in a JVM of its own on this one's class path.
 *
 * <p>Each argument is one benchmark, as words with blanks between them: the options of its JVM, its
 * main class, and the arguments of that. The first benchmark that fails ends the run with its exit
 * status.
 */
final class BenchmarkProcesses {
  private BenchmarkProcesses() {}

  public static void main(String[] benchmarks) throws IOException, InterruptedException {
    for (String benchmark : benchmarks) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.addAll(List.of(benchmark.strip().split("\\s+", -1)));
      int status = new ProcessBuilder(command).inheritIO().start().waitFor();
      if (status != 0) {
        System.err.println(benchmark + " ended with " + status);
        System.exit(status);
      }
    }
  }
}
