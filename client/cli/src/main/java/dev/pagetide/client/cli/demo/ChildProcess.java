package dev.pagetide.client.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process that the demo started: its output line by line, its log in case it fails, and its end.
 */
final class ChildProcess implements AutoCloseable {

  private static final long ANSWER_SECONDS = 30;
  private static final int LOG_LINES_SHOWN = 20;

  private final String name;
  private final Process process;
  private final Path log;

  /** Lines of standard output; an empty Optional is its end. */
  private final LinkedBlockingQueue<Optional<String>> lines = new LinkedBlockingQueue<>();

  private ChildProcess(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
  }

  /**
   * Starts a process whose standard error goes to {@code log}. Its environment has none of this
   * user's Pagetide settings that could change the demo.
   */
  static ChildProcess start(String name, List<String> command, Path log) {
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
    builder
        .environment()
        .keySet()
        .removeIf(key -> key.startsWith("PAGETIDE_") && !key.startsWith("PAGETIDE_JAVA_"));
    try {
      ChildProcess child = new ChildProcess(name, builder.start(), log);
      Thread.ofVirtual().name(name + "-output").start(child::readLines);
      return child;
    } catch (IOException e) {
      throw new DemoFailure("cannot start " + name + ": " + e.getMessage(), e);
    }
  }

  private void readLines() {
    try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.add(Optional.of(line));
      }
    } catch (IOException e) {
      // The process was killed; its output ends here.
    } finally {
      lines.add(Optional.empty());
    }
  }

  String name() {
    return name;
  }

  long pid() {
    return process.pid();
  }

  /** Sends one line to the process. */
  void send(String line) {
    try {
      var writer = process.outputWriter(StandardCharsets.UTF_8);
      writer.write(line);
      writer.newLine();
      writer.flush();
    } catch (IOException e) {
      throw new DemoFailure(name + " does not listen any more" + logTail(), e);
    }
  }

  /** Closes the process's standard input. */
  void endInput() {
    try {
      process.outputWriter(StandardCharsets.UTF_8).close();
    } catch (IOException e) {
      throw new DemoFailure(name + " does not listen any more" + logTail(), e);
    }
  }

  /**
   * The process's next line.
   *
   * @throws DemoFailure if its output ends, or no line comes for a long time
   */
  String nextLine() {
    Optional<String> line;
    try {
      line = lines.poll(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoFailure("interrupted", e);
    }
    if (line == null) {
      throw new DemoFailure(name + " said nothing for " + ANSWER_SECONDS + " s" + logTail());
    }
    return line.orElseThrow(() -> new DemoFailure(name + " ended unexpectedly" + logTail()));
  }

  private String logTail() {
    try {
      List<String> all = Files.readAllLines(log);
      List<String> last = all.subList(Math.max(0, all.size() - LOG_LINES_SHOWN), all.size());
      return last.isEmpty() ? "" : "; its last words:\n" + String.join("\n", last);
    } catch (IOException | UncheckedIOException e) {
      return "";
    }
  }

  /** Sends SIGKILL. */
  void kill() {
    process.destroyForcibly();
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /**
   * Waits for the end.
   *
   * @return the exit status; 128 and the signal's number if a signal ended it
   * @throws DemoFailure if the process does not end for a long time
   */
  int awaitExit() {
    try {
      if (process.waitFor(ANSWER_SECONDS, TimeUnit.SECONDS)) {
        return process.exitValue();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoFailure("interrupted", e);
    }
    throw new DemoFailure(name + " did not end within " + ANSWER_SECONDS + " s" + logTail());
  }

  /** Kills the process if it still runs. */
  @Override
  public void close() {
    if (process.isAlive()) {
      process.destroyForcibly();
      try {
        var _ = process.waitFor(ANSWER_SECONDS, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
