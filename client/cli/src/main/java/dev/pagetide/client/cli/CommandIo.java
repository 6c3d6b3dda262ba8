package dev.pagetide.client.cli;

import java.io.Console;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The parts of this process that a command uses: its streams and its environment.
 *
 * @param in standard input
 * @param out standard output, for results; bytes and UTF-8 text
 * @param err standard error, for problems
 * @param environment the environment's variables
 * @param terminal whether results go to a terminal
 * @param colour whether results may be coloured
 * @param errTerminal whether standard error is a terminal, where progress may be shown
 */
public record CommandIo(
    InputStream in,
    PrintStream out,
    PrintStream err,
    Map<String, String> environment,
    boolean terminal,
    boolean colour,
    boolean errTerminal) {

  private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

  /**
   * This process's own. Results are coloured only on a terminal that is not dumb, and not if
   * NO_COLOR is set.
   */
  static CommandIo ofProcess() {
    Map<String, String> environment = System.getenv();
    boolean terminal =
        Optional.ofNullable(System.console()).filter(Console::isTerminal).isPresent();
    boolean colour =
        terminal
            && environment.getOrDefault("NO_COLOR", "").isEmpty()
            && !environment.getOrDefault("TERM", "dumb").equals("dumb");
    return new CommandIo(
        // System.in makes calls that fail on files of /proc
        new FileInputStream(FileDescriptor.in),
        StandardOutput.ofProcess(),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        environment,
        terminal,
        colour,
        isTerminal(STANDARD_ERROR));
  }

  /**
   * Whether the descriptor is a terminal. Java's console only knows about standard input and
   * output.
   */
  private static boolean isTerminal(Path descriptor) {
    try {
      String name = Files.readSymbolicLink(descriptor).toString();
      return name.startsWith("/dev/pts/")
          || name.startsWith("/dev/tty")
          || name.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }

  /** Whether results cannot be written because the process that read them has ended. */
  boolean readerIsGone() {
    return out instanceof StandardOutput ours && ours.readerIsGone();
  }

  /** Why results could not be written; null if they could. */
  public @Nullable String outputProblem() {
    if (!out.checkError()) {
      return null;
    }
    String refusal = out instanceof StandardOutput ours ? ours.refusal() : null;
    return "standard output cannot be written" + (refusal == null ? "" : ": " + refusal);
  }

  /** A variable of the environment; null if it is unset or empty. */
  @Nullable String variable(String name) {
    String value = environment.get(name);
    return value == null || value.isEmpty() ? null : value;
  }
}
