package dev.pagetide.client.cli.demo;

import dev.pagetide.client.PagetideException;
import dev.pagetide.client.cli.CommandFailure;
import dev.pagetide.client.cli.CommandIo;
import dev.pagetide.client.cli.CommandWords;
import dev.pagetide.client.cli.Pagetide;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code pagetide demo}: starts all processes, shows all features, and leaves nothing behind. */
@Command(
    name = "demo",
    description = {
      "Show it all: a server, two clients, pages taken, written, given back and reclaimed, and"
          + " bytes handed from one process to the other, with what it costs beside plain gRPC.",
      "Starts real processes and ends them again; needs no configuration; takes about 20 seconds.",
      "The server is the one built beside this command, or the environment's PAGETIDE_SERVER."
    })
public final class DemoCommand implements Callable<Integer> {

  /** A Unix socket's path has at most 107 bytes; this leaves room for the names in it. */
  private static final int LONGEST_TEMP_PATH = 60;

  /** The status that a shell reports of a command that Ctrl-C ended. */
  private static final int INTERRUPTED = 130;

  @Option(
      names = "--stay",
      description =
          "Keep the server until you press Enter, for its tide map to be looked at in a browser"
              + " (default: the server ends with the demo).")
  private boolean stay;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Override
  public Integer call() throws IOException {
    if (pagetide.namesServer()) {
      throw new ParameterException(
          spec.commandLine(),
          "demo starts a server of its own and meets no other: leave out --dir and --connect");
    }
    CommandIo io = pagetide.io();
    Path launcher = launcher(io);
    Path directory = temporaryDirectory();
    try (DemoEnd end = DemoEnd.of(directory)) {
      return play(new DemoScript(io, launcher, directory, stay), end);
    }
  }

  private static int play(DemoScript script, DemoEnd end) throws IOException {
    try {
      script.play();
      return 0;
    } catch (DemoFailure e) {
      return interruptedOr(end, failure(e));
    } catch (PagetideException e) {
      return interruptedOr(end, failure(e));
    }
  }

  /**
   * The status for a failure. If it failed because the process is ending, that is no failure of the
   * demo.
   */
  private static int interruptedOr(DemoEnd end, CommandFailure failure) {
    if (end.wasInterrupted()) {
      return INTERRUPTED;
    }
    throw failure;
  }

  private static CommandFailure failure(DemoFailure e) {
    // Below the sentence are the last lines of a child process's log.
    List<String> lines = ("the demo failed: " + e.getMessage()).lines().toList();
    return new CommandFailure(lines.getFirst(), lines.subList(1, lines.size()), e);
  }

  /**
   * The failure is about the demo's own server, so advice about the user's socket does not apply.
   */
  private static CommandFailure failure(PagetideException e) {
    return new CommandFailure(
        "the demo failed: " + CommandWords.of(String.valueOf(e.getMessage())), e);
  }

  /**
   * Removes the options that name a server from this command's help, because the command refuses
   * them.
   */
  public static void hideServerOptions(CommandLine commands) {
    CommandSpec demo =
        Objects.requireNonNull(commands.getSubcommands().get("demo")).getCommandSpec();
    for (String name : List.of("--dir", "--connect")) {
      OptionSpec shown = demo.findOption(name);
      demo.remove(shown);
      demo.add(OptionSpec.builder(shown).hidden(true).build());
    }
  }

  private static Path launcher(CommandIo io) {
    String named = io.environment().getOrDefault("PAGETIDE_SERVER", "");
    if (!named.isEmpty()) {
      return Path.of(named);
    }
    try {
      Path jar =
          Path.of(DemoCommand.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return jar.resolve("../../../server/bin/pagetide-server").normalize();
    } catch (URISyntaxException e) {
      throw new CommandFailure("cannot tell where this command lies: " + e.getMessage(), e);
    }
  }

  private static Path temporaryDirectory() throws IOException {
    Path usual = Path.of(System.getProperty("java.io.tmpdir"));
    Path parent = usual.toString().length() > LONGEST_TEMP_PATH ? Path.of("/tmp") : usual;
    return Files.createTempDirectory(parent, "pagetide-demo-"); // mode 0700
  }
}
