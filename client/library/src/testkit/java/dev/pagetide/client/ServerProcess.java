package dev.pagetide.client;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.URLConnection;
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
  private final List<String> command;
  private Process process;
  private String httpUrl = "";

  private ServerProcess(Path root, List<String> command) throws IOException {
    this.root = root;
    this.command = command;
    this.process = launch();
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
    ServerProcess server = new ServerProcess(root, command);
    server.awaitReady();
    return server;
  }

  private Process launch() throws IOException {
    return new ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.appendTo(root.resolve("log").toFile()))
        .start();
  }

  private void awaitReady() throws IOException {
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    String line = output.readLine();
    if (line == null || !line.startsWith("ready ")) {
      String log = log();
      close();
      throw new IOException("the server said " + line + "; its log:\n" + log);
    }
    httpUrl = line.split(" ", -1)[2].substring("http=".length());
    Process started = process;
    Thread.ofVirtual()
        .start(() -> {
          try {
            started.getInputStream().transferTo(OutputStream.nullOutputStream());
          } catch (IOException e) {
            // The server has ended.
          }
        });
  }

  /** Starts the server again, on the same directory, after it has ended. */
  public void startAgain() throws IOException {
    process = launch();
    awaitReady();
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

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** What it has logged so far. */
  public String log() throws IOException {
    return Files.readString(root.resolve("log"));
  }

  /** What it serves at /metrics; needs {@code --http}. */
  public String metrics() throws IOException {
    URLConnection connection = URI.create(httpUrl + "/metrics").toURL().openConnection();
    connection.setRequestProperty("Connection", "close");
    try (InputStream answer = connection.getInputStream()) {
      return new String(answer.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** The value of a meter without labels; needs {@code --http}. */
  public double metric(String name) throws IOException {
    return metrics()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow(() -> new IOException("no meter " + name));
  }

  /** Sends SIGKILL and waits for the end. */
  public void kill() throws InterruptedException {
    process.destroyForcibly();
    var _ = process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  /** Stops the process where it is: it answers nothing until {@link #goOn}. */
  public void pause() throws IOException, InterruptedException {
    signal("STOP");
    while (!Files.readString(Path.of("/proc/" + pid() + "/stat")).contains(") T ")) {
      Thread.onSpinWait();
    }
  }

  /** Ends a {@link #pause}. */
  public void goOn() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    int status = new ProcessBuilder("sh", "-c", "kill -" + name + " " + pid()).start().waitFor();
    if (status != 0) {
      throw new IOException("kill -" + name + " ended with " + status);
    }
  }

  /** Sends SIGTERM. */
  public void terminate() {
    process.destroy();
  }

  /** Waits for the end; tells the exit status. */
  public int awaitExit() throws InterruptedException {
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
    if (!Files.exists(root)) {
      return; // closed before
    }
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
