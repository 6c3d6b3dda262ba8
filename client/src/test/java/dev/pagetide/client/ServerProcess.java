package dev.pagetide.client;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A real server process on a directory of its own, on the Java and the class path of the tests. */
public final class ServerProcess implements AutoCloseable {

  private static final int PATIENCE_SECONDS = 60;

  private final Path root;
  private final Process process;
  private String ready = "";

  private ServerProcess(Path root, Process process) {
    this.root = root;
    this.process = process;
  }

  /** Starts a server, with {@code options} besides its directory, and waits until it is ready. */
  public static ServerProcess start(String... options) throws IOException {
    // Not below the build's folder: a Unix socket's path has at most 107 bytes.
    Path root = Files.createTempDirectory(Path.of("/tmp"), "pt-");
    List<String> command = new ArrayList<>(command());
    command.addAll(List.of("--dir", root.resolve("run").toString()));
    command.addAll(List.of(options));
    if (!command.contains("--http")) {
      command.addAll(List.of("--http", "off"));
    }
    Process process =
        new ProcessBuilder(command).redirectError(root.resolve("log").toFile()).start();
    ServerProcess server = new ServerProcess(root, process);
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    String line = output.readLine();
    if (line == null || !line.startsWith("ready ")) {
      String log = Files.readString(root.resolve("log"));
      server.close();
      throw new IOException("the server said " + line + "; its log:\n" + log);
    }
    server.ready = line;
    Thread.ofVirtual()
        .start(() -> {
          try {
            process.getInputStream().transferTo(OutputStream.nullOutputStream());
          } catch (IOException e) {
            // The server has ended.
          }
        });
    return server;
  }

  /** The command that runs a server; options are to be added. */
  public static List<String> command() {
    return List.of(
        System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx256m",
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        System.getProperty("java.class.path"),
        "dev.pagetide.server.PagetideServer");
  }

  /** Where its sockets are. */
  public Path directory() {
    return root.resolve("run");
  }

  /** What it serves at /metrics; needs {@code --http}. */
  String metrics() throws IOException {
    String http = ready.replaceFirst(".* http=", "").replaceFirst(" .*", "");
    try (InputStream answer = URI.create(http + "/metrics").toURL().openStream()) {
      return new String(answer.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Sends SIGKILL and waits for the end. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    var _ = process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /** Waits for the end; tells the exit status. */
  int awaitExit() throws InterruptedException {
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      throw new IllegalStateException("the server does not end");
    }
    return process.exitValue();
  }

  /** Kills the server if it still runs, and removes its directory. */
  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    process.onExit().join();
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
