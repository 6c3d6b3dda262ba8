package dev.pagetide.client.hostile;

import dev.pagetide.testkit.JavaProcess;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A process that answers each line it is sent with one line. Ends with this object. */
public final class Child implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;

  private final JavaProcess process;

  private Child(JavaProcess process) {
    this.process = process;
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
    List<String> options = new ArrayList<>(List.of("-Xmx128m"));
    options.addAll(javaOptions);
    List<String> command = new ArrayList<>(prefix);
    command.addAll(JavaProcess.command(options, main.getName()));
    command.addAll(List.of(arguments));
    return new Child(JavaProcess.start(command, ProcessBuilder.Redirect.INHERIT));
  }

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** The next line it says. */
  public String readLine() throws IOException {
    String line = process.readLine();
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
    process.writeLine(command);
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
    process.kill();
  }

  /** Kills it if it still runs. */
  @Override
  public void close() {
    process.close();
  }
}
