package dev.pagetide.client;

import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.SystemCalls;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A real server process that logs into a file, and what the client's tests ask of it. */
public final class ServerProcess extends dev.pagetide.testkit.ServerProcess {

  private ServerProcess(Path parent, List<String> options) throws IOException {
    super(
        parent,
        JavaProcess.Launch.PLAIN,
        ProcessBuilder.Redirect.appendTo(parent.resolve("log").toFile()),
        options);
  }

  /** Starts a server, with {@code options} besides its directory, and waits until it is ready. */
  public static ServerProcess start(String... options) throws IOException {
    List<String> all = new ArrayList<>(List.of(options));
    if (all.stream().noneMatch(option -> option.split("=", 2)[0].equals("--http"))) {
      all.addAll(List.of("--http", "off"));
    }
    return new ServerProcess(newParent(), all);
  }

  /** Its process id. */
  public long pid() {
    return process().pid();
  }

  /** What it has logged so far. */
  public String log() throws IOException {
    return Files.readString(parent().resolve("log"));
  }

  /** What it serves at /metrics; needs {@code --http}. */
  public String metrics() throws IOException {
    URLConnection connection = URI.create(httpUrl() + "/metrics").toURL().openConnection();
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
    process().kill();
  }

  /** Stops the process where it is: it answers nothing until {@link #goOn}. */
  public void pause() throws IOException {
    process().signal(SystemCalls.SIGSTOP);
    while (!Files.readString(Path.of("/proc/" + pid() + "/stat")).contains(") T ")) {
      Thread.onSpinWait();
    }
  }

  /** Ends a {@link #pause}. */
  public void goOn() {
    process().signal(SystemCalls.SIGCONT);
  }

  /** Sends SIGTERM. */
  public void terminate() {
    process().requestTermination();
  }

  /** Waits for the end; tells the exit status. */
  public int awaitExit() throws InterruptedException {
    return process().awaitExit();
  }
}
