package dev.pagetide.client.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The demo's server: a real {@code pagetide-server} process on a directory of its own. */
final class DemoServer implements AutoCloseable {

  private static final Pattern READY =
      Pattern.compile("ready grpc=unix:(\\S+) http=(\\S+) pid=\\d+(?: map=(\\S+))?");
  private static final int TIMEOUT_MILLIS = 10_000;

  private final ChildProcess process;
  private final URI metrics;
  private final Optional<String> map;

  private DemoServer(ChildProcess process, URI metrics, Optional<String> map) {
    this.process = process;
    this.metrics = metrics;
    this.map = map;
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param launcher the command that runs a server
   * @param directory its socket directory, which exists
   * @param log the file that its log goes to
   */
  static DemoServer start(Path launcher, Path directory, Path log) {
    if (!Files.isExecutable(launcher)) {
      throw new DemoFailure(
          "there is no server at "
              + launcher
              + "; name one with the environment's PAGETIDE_SERVER");
    }
    List<String> command =
        List.of(launcher.toString(), "--dir", directory.toString(), "--http", "127.0.0.1:0");
    ChildProcess process = ChildProcess.start("the server", command, log);
    try {
      String line = process.nextLine();
      Matcher ready = READY.matcher(line);
      if (!ready.matches()) {
        throw new DemoFailure("the server's first line is not its ready line: " + line);
      }
      return new DemoServer(
          process,
          new URI(ready.group(2)).resolve("/metrics"),
          Optional.ofNullable(ready.group(3)));
    } catch (URISyntaxException e) {
      process.close();
      throw new DemoFailure("the server's ready line names no URL: " + e.getMessage(), e);
    } catch (DemoFailure e) {
      process.close();
      throw e;
    }
  }

  long pid() {
    return process.pid();
  }

  URI metrics() {
    return metrics;
  }

  /** The address of its tide map, with the key that opens it. */
  Optional<String> map() {
    return map;
  }

  /**
   * The sample of {@code /metrics} with that name and label.
   *
   * @param label as in {@code state="used"}; null if the name is enough
   * @throws DemoFailure if there is none
   */
  String sample(String name, @Nullable String label) {
    List<String> seen = new ArrayList<>();
    try {
      URLConnection connection = metrics.toURL().openConnection(Proxy.NO_PROXY);
      connection.setConnectTimeout(TIMEOUT_MILLIS);
      connection.setReadTimeout(TIMEOUT_MILLIS);
      try (BufferedReader reader =
          new BufferedReader(
              new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          if (line.startsWith(name + "{") || line.startsWith(name + " ")) {
            seen.add(line);
            if (label == null || line.contains(label)) {
              return line;
            }
          }
        }
      }
    } catch (IOException e) {
      throw new DemoFailure("cannot read " + metrics + ": " + e.getMessage(), e);
    }
    throw new DemoFailure("no " + name + " with " + label + " in " + metrics + "; saw " + seen);
  }

  /** The number at the end of a {@link #sample}. */
  static double value(String sample) {
    return Double.parseDouble(sample.substring(sample.lastIndexOf(' ') + 1));
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.terminate();
  }

  /** Waits for the end. Returns the exit status. */
  int awaitExit() {
    return process.awaitExit();
  }

  /** Kills the server if it still runs. */
  @Override
  public void close() {
    process.close();
  }
}
