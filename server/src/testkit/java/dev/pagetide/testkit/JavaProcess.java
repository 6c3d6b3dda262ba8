package dev.pagetide.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A second JVM that runs one of our mains; killed, if it still lives, when the test closes it. */
public final class JavaProcess implements AutoCloseable {
  private static final long WAIT_SECONDS = 60;

  /** Quick to start, and small. */
  private static final List<String> QUICK = List.of("-XX:TieredStopAtLevel=1", "-Xmx256m");

  private final Process process;
  private final BufferedReader output;

  private JavaProcess(Process process) {
    this.process = process;
    this.output = process.inputReader(StandardCharsets.UTF_8);
  }

  /** Starts a main class of this test's class path, in an environment without our variables. */
  public static JavaProcess start(Class<?> main, String... arguments) throws IOException {
    return start(Launch.PLAIN, main, arguments);
  }

  /**
   * How a JVM is started.
   *
   * @param prefix a command that runs the one that follows it in its own place
   * @param javaOptions options of the JVM, after those that all have
   */
  public record Launch(List<String> prefix, List<String> javaOptions) {
    public static final Launch PLAIN = new Launch(List.of(), List.of());

    /** The whole command that runs a main class, to which its arguments are to be added. */
    List<String> command(String main) {
      List<String> options = new ArrayList<>(QUICK);
      options.addAll(javaOptions);
      List<String> command = new ArrayList<>(prefix);
      command.addAll(JavaProcess.command(options, main));
      return command;
    }
  }

  /** As {@link #start(Class, String...)}, in another way. */
  public static JavaProcess start(Launch launch, Class<?> main, String... arguments)
      throws IOException {
    List<String> command = launch.command(main.getName());
    command.addAll(Arrays.asList(arguments));
    return start(command, Redirect.PIPE);
  }

  /** Starts a command in an environment without our variables. */
  public static JavaProcess start(List<String> command, Redirect errors) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors);
    builder.environment().keySet().removeIf(name -> name.startsWith("PAGETIDE_"));
    builder.environment().remove("LANGUAGE");
    builder.environment().put("LC_ALL", "C.UTF-8"); // tests read what the C library says
    return new JavaProcess(builder.start());
  }

  /** The command that runs a main class on the Java and the class path of the tests. */
  public static List<String> command(List<String> javaOptions, String main) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:+UseSerialGC");
    command.addAll(javaOptions);
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            main));
    return command;
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** The next line of its standard output, or null at its end. */
  public @Nullable String readLine() throws IOException {
    return output.readLine();
  }

  /** As {@link #readLine}; kills a process that says nothing in time, which ends its output. */
  @Nullable String readLineInTime() throws IOException {
    CompletableFuture<Boolean> said = new CompletableFuture<>();
    var _ =
        said.completeOnTimeout(false, WAIT_SECONDS, TimeUnit.SECONDS)
            .thenAccept(inTime -> {
              if (!inTime) {
                var _ = process.toHandle().destroyForcibly();
              }
            });
    try {
      return readLine();
    } finally {
      said.complete(true);
    }
  }

  /** Sends a line to its standard input. */
  public void writeLine(String line) throws IOException {
    Writer input = process.outputWriter();
    input.write(line + "\n");
    input.flush();
  }

  /** Sends TERM and returns the exit code. */
  public int terminate() throws InterruptedException {
    requestTermination();
    return awaitExit();
  }

  /** Sends TERM. */
  public void requestTermination() {
    // The handle's destroy: the process's own would close what there is still to read.
    var _ = process.toHandle().destroy();
  }

  /** Sends a signal by its number, of those in {@link SystemCalls}. */
  public void signal(int number) {
    if (SystemCalls.kill(pid(), number) != 0) {
      throw new AssertionError("no signal " + number + " to process " + pid());
    }
  }

  /** Sends KILL and waits for the end. */
  public void kill() throws InterruptedException {
    var _ = process.toHandle().destroyForcibly();
    int _ = awaitExit();
  }

  public int awaitExit() throws InterruptedException {
    if (!process.waitFor(WAIT_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("process " + process.pid() + " did not end");
    }
    return process.exitValue();
  }

  /** Everything on its standard error, if that is a pipe; to be called once it has ended. */
  public String errors() throws IOException {
    return new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    var _ = process.toHandle().destroyForcibly();
    var _ = process.onExit().join();
  }
}
