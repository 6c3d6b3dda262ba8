package dev.pagetide.client.cli.demo;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * One of the demo's clients, or its relay, as the demo sees it: a real process that takes orders
 * line by line.
 */
final class DemoClient implements AutoCloseable {

  private static final String OK = "ok ";

  private final ChildProcess process;

  private DemoClient(ChildProcess process) {
    this.process = process;
  }

  /**
   * Starts a client of the server in {@code directory}.
   *
   * @param javaOptions options of its JVM, between spaces
   */
  static DemoClient start(String name, Path directory, Path log, String javaOptions) {
    return start(
        name, log, javaOptions, List.of("--dir", directory.toString(), DemoClientCommand.NAME));
  }

  /**
   * Starts the relay for the gRPC calls that the demo compares with. It serves at {@code from} and
   * passes calls on to {@code onward}.
   */
  static DemoClient relay(Path from, Path onward, Path log, String javaOptions) {
    return start(
        "the relay",
        log,
        javaOptions,
        List.of(DemoRelayCommand.NAME, from.toString(), onward.toString()));
  }

  private static DemoClient start(
      String name, Path log, String javaOptions, List<String> arguments) {
    List<String> command = command(javaOptions);
    command.addAll(arguments);
    return new DemoClient(ChildProcess.start(name, command, log));
  }

  /**
   * This command on the same Java as this process, with the same folder for temporary files. Native
   * libraries are unpacked there, and the usual folder may not allow that.
   */
  static List<String> command(String javaOptions) {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java");
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir")));
    Stream.of(javaOptions.split("\\s+", -1))
        .filter(option -> !option.isEmpty())
        .forEach(command::add);
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), "dev.pagetide.client.cli.Pagetide"));
    return command;
  }

  String name() {
    return process.name();
  }

  long pid() {
    return process.pid();
  }

  /** Starts to carry out an order; {@link #answer} waits for the end. */
  void begin(String order) {
    process.send(order);
  }

  /**
   * The client's answer to the oldest order without an answer.
   *
   * @throws DemoFailure if the client could not carry out the order
   */
  String answer() {
    String line = process.nextLine();
    if (!line.startsWith(OK)) {
      throw new DemoFailure(name() + ": " + line);
    }
    return line.substring(OK.length());
  }

  /** Gives an order and waits for the answer. */
  String tell(String order) {
    begin(order);
    return answer();
  }

  /** Sends SIGKILL and waits for the end. */
  void kill() {
    process.kill();
    var _ = process.awaitExit();
  }

  /**
   * Tells the client that there are no more orders, and waits for its end. Returns the exit status.
   */
  int awaitExit() {
    process.endInput();
    return process.awaitExit();
  }

  /** Kills the client if it still runs. */
  @Override
  public void close() {
    process.close();
  }
}
