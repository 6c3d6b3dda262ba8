package dev.pagetide.client.hostile;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A process that answers each line it is sent with one line. Ends with this object. */
public final class Child implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;

  private final Process process;
  private final BufferedReader answers;
  private final Writer commands;

  private Child(Process process) {
    this.process = process;
    this.answers = process.inputReader(StandardCharsets.UTF_8);
    this.commands = process.outputWriter(StandardCharsets.UTF_8);
  }

  /** Starts {@code main} with this process's Java and class path. */
  public static Child start(Class<?> main, String... arguments) throws IOException {
    return start(List.of(), List.of("-XX:TieredStopAtLevel=1"), main, arguments);
  }

  /**
   * As above, in another way.
   *
   * @param prefix a command that runs the one that follows it in its own place
   * @param javaOptions options of the JVM, beside those that all have, or in their place
   */
  public static Child start(
      List<String> prefix, List<String> javaOptions, Class<?> main, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>(prefix);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-Xmx128m"));
    command.addAll(javaOptions);
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            main.getName()));
    command.addAll(List.of(arguments));
    return new Child(
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
  }

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** The next line it says. */
  public String readLine() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new IOException("process " + process.pid() + " ended");
    }
    return line;
  }

  /** Sends a command and waits for the answer. */
  public String ask(String command) throws IOException {
    tell(command);
    return readLine();
  }

  /** Sends a command; what it answers, if anything, is to be read. */
  public void tell(String command) throws IOException {
    commands.write(command + "\n");
    commands.flush();
  }

  /** Sends a command; its answer comes while the caller does something else. */
  public CompletableFuture<String> askAsync(String command) {
    CompletableFuture<String> answer = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            answer.complete(ask(command));
          } catch (IOException e) {
            answer.completeExceptionally(e);
          }
        });
    return answer.orTimeout(PATIENCE_SECONDS * 5L, TimeUnit.SECONDS);
  }

  /** Sends KILL and waits for the end. */
  public void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      throw new IllegalStateException("process " + process.pid() + " does not end");
    }
  }

  /** Kills it if it still runs. */
  @Override
  public void close() {
    process.destroyForcibly();
    process.onExit().join();
  }
}
