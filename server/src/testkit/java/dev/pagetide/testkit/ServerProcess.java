package dev.pagetide.testkit;

import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A real server process on a directory of its own, on the Java and the class path of the tests. */
public class ServerProcess implements AutoCloseable {
  /** By name, because the client's library does not compile against the server. */
  private static final String MAIN = "dev.pagetide.server.PagetideServer";

  private final Path parent;
  private final List<String> command;
  private final Redirect errors;
  private JavaProcess process;
  private List<String> ready = List.of();

  /**
   * Starts a server and waits until it is ready.
   *
   * @param parent a new folder, in which the server makes its directory; deleted at the end
   * @param errors where its standard error goes
   * @param options its options beside {@code --dir}
   */
  protected ServerProcess(
      Path parent, JavaProcess.Launch launch, Redirect errors, List<String> options)
      throws IOException {
    this.parent = parent;
    this.errors = errors;
    this.command = launch.command(MAIN);
    command.addAll(List.of("--dir", parent.resolve("d").toString()));
    command.addAll(options);
    try {
      this.process = launch();
    } catch (IOException | RuntimeException | Error e) {
      deleteParent();
      throw e;
    }
  }

  /** Makes a server's parent: not below the build's folder, because a Unix path is short. */
  protected static Path newParent() throws IOException {
    return Files.createTempDirectory(Path.of("/tmp"), "pt-"); // a socket's has at most 107 bytes
  }

  /** The command that runs a server; options are to be added. */
  public static List<String> command() {
    return JavaProcess.Launch.PLAIN.command(MAIN);
  }

  private JavaProcess launch() throws IOException {
    JavaProcess started = JavaProcess.start(command, errors);
    String line;
    try {
      line = started.readLineInTime();
    } catch (IOException | RuntimeException | Error e) {
      started.close();
      throw e;
    }
    if (line == null || !line.startsWith("ready ")) {
      started.close();
      File log = errors.file();
      String said = log == null ? started.errors() : Files.readString(log.toPath());
      throw new IOException("the server said %s; its log:\n%s".formatted(line, said));
    }
    ready = Arrays.asList(line.split(" ", -1));
    return started;
  }

  /** Starts the server again, on the same directory, after it has ended. */
  public void startAgain() throws IOException {
    process = launch();
  }

  /** The process that runs now, or ran last. */
  public JavaProcess process() {
    return process;
  }

  /** The folder that holds nothing but the server's directory and what the test puts there. */
  public Path parent() {
    return parent;
  }

  /** Where its sockets are. */
  public Path directory() {
    return parent.resolve("d");
  }

  /** Where gRPC clients connect. */
  public String target() {
    return word("grpc=");
  }

  /** Where it serves its meters; {@code off} if nowhere. */
  public String httpUrl() {
    return word("http=");
  }

  /** What follows {@code key} in the ready line; empty if that is not there. */
  protected final String word(String key) {
    return ready.stream()
        .filter(word -> word.startsWith(key))
        .map(word -> word.substring(key.length()))
        .findFirst()
        .orElse("");
  }

  /** Ends the server after a test that {@link WithServer} started it for. */
  public void closeAfterTest() throws Exception {
    close();
  }

  /** Kills the server if it still runs, and removes its directory. */
  @Override
  public void close() throws IOException {
    process.close();
    deleteParent();
  }

  private void deleteParent() throws IOException {
    if (!Files.exists(parent)) {
      return; // closed before
    }
    try (Stream<Path> paths = Files.walk(parent)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
