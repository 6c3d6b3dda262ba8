package dev.pagetide.client.cli;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.cli.demo.DemoClientCommand;
import dev.pagetide.client.cli.demo.DemoCommand;
import dev.pagetide.client.cli.demo.DemoRelayCommand;
import dev.pagetide.client.cli.top.TopCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The {@code pagetide} command: its global options, and how every subcommand connects to a server.
 */
@Command(
    name = "pagetide",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = PackageVersion.class,
    usageHelpAutoWidth = true,
    description = "Lends shared-memory pages and takes back the ones nobody uses.",
    footer = {
      "",
      "Pages are numbers such as 7, or intervals such as 0..4 (pages 0 to 3).",
      "Sizes and offsets are bytes, or take a unit: 64KiB, 4MiB.",
      "Exit status: 0 done, 1 failed, 2 misused, 130 (as SIGINT) ended by Ctrl-C,",
      "141 (as SIGPIPE) the output's reader has ended."
    },
    subcommands = {
      DemoCommand.class,
      OpenCommand.class,
      UseCommand.class,
      StopCommand.class,
      ReadCommand.class,
      WriteCommand.class,
      ZeroCommand.class,
      RangeCommand.class,
      ShrinkCommand.class,
      CountCommand.class,
      RangesCommand.class,
      TopCommand.class,
      ReceiveCommand.class,
      SendCommand.class,
      HelpCommand.class,
      CompletionCommand.class,
      ManCommand.class,
      DemoClientCommand.class,
      DemoRelayCommand.class,
    })
public final class Pagetide implements Runnable {

  /**
   * The status that a shell reports of a command that SIGPIPE ended, as in {@code pagetide read |
   * head}.
   */
  private static final int READER_GONE = 141;

  /** Referenced here so that the logger, and with it its level, is not garbage-collected. */
  private static final Logger ROOT_LOGGER = Logger.getLogger("");

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      scope = ScopeType.INHERIT,
      description =
          "The server's directory (default: the environment's PAGETIDE_DIR, else"
              + " $XDG_RUNTIME_DIR/pagetide, else /tmp/pagetide-UID).")
  private @Nullable Path directory;

  @Option(
      names = "--connect",
      paramLabel = "HOST:PORT",
      scope = ScopeType.INHERIT,
      description =
          "Speak to a server's TCP port on this host instead of its Unix socket"
              + " (default: the Unix socket).")
  private @Nullable String tcp;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  private final CommandIo io;

  private Pagetide(CommandIo io) {
    this.io = io;
  }

  /** Runs the command that {@code arguments} name and ends the process with its status. */
  public static void main(String[] arguments) {
    // scripts read our numbers, whatever locale the command starts in
    Locale.setDefault(Locale.ROOT);
    ROOT_LOGGER.setLevel(Level.OFF); // the command itself reports each problem once
    System.exit(run(CommandIo.ofProcess(), arguments));
  }

  /** Runs the command that {@code arguments} name: 0 done, 1 failed, 2 misused. */
  static int run(CommandIo io, String... arguments) {
    Pagetide pagetide = new Pagetide(io);
    CommandLine commands = new CommandLine(pagetide).setCaseInsensitiveEnumValuesAllowed(true);
    commands.setExpandAtFiles(false); // a name that begins with @ must not bring in options
    commands.registerConverter(Path.class, new PathConverter());
    DemoCommand.hideServerOptions(commands);
    commands.setOut(new PrintWriter(io.out(), true, StandardCharsets.UTF_8));
    commands.setErr(new PrintWriter(io.err(), true, StandardCharsets.UTF_8));
    commands.setColorScheme(
        CommandLine.Help.defaultColorScheme(
            io.colour() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
    commands.setParameterExceptionHandler((misuse, _) -> {
      io.err().println(ErrorLine.ofMisuse(misuse));
      return CommandLine.ExitCode.USAGE;
    });
    commands.setExecutionExceptionHandler((failure, _, _) -> {
      if (!io.readerIsGone()) {
        io.err().println(ErrorLine.of(failure, pagetide));
      }
      return CommandLine.ExitCode.SOFTWARE;
    });
    for (String argument : arguments) {
      if (PathConverter.isMangled(argument)) {
        io.err().println(ErrorLine.ofMangled(argument));
        return CommandLine.ExitCode.USAGE;
      }
    }
    return delivered(io, commands.execute(arguments));
  }

  /** The exit status, if results could be written; {@code status} is that of the command itself. */
  private static int delivered(CommandIo io, int status) {
    if (io.readerIsGone()) {
      return READER_GONE;
    }
    String problem = io.outputProblem();
    if (problem == null || status != CommandLine.ExitCode.OK) {
      return status;
    }
    io.err().println("pagetide: " + problem);
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** Without a subcommand, only says what subcommands there are. */
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing command");
  }

  /** The streams and the environment of this run. */
  public CommandIo io() {
    return io;
  }

  /** The directory of the server's sockets. */
  Path directory() {
    if (directory != null) {
      return directory;
    }
    String named = io.variable("PAGETIDE_DIR");
    return named == null
        ? PagetideClient.defaultDirectory()
        : PathConverter.ofVariable("PAGETIDE_DIR", named);
  }

  /**
   * A client of the server that the options name.
   *
   * @throws ParameterException if the options contradict each other or make no sense
   */
  public PagetideClient connect() {
    return connect(ClientOptions.DEFAULT);
  }

  /** As {@link #connect()}, with options. */
  public PagetideClient connect(ClientOptions options) {
    if (tcp == null) {
      return PagetideClient.connect(directory(), options);
    }
    if (directory != null) {
      throw new ParameterException(
          spec.commandLine(), "--dir and --connect name two servers; give one of them");
    }
    try {
      return PagetideClient.connectTcp(tcp, options);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--connect " + e.getMessage(), e);
    }
  }

  /** Why something failed, in the command line's words. The caller escapes it before showing it. */
  public String problem(Exception failure) {
    return ErrorLine.problem(failure, this);
  }

  /** Whether an option names the server. */
  public boolean namesServer() {
    return directory != null || tcp != null;
  }

  /** The server that the options name, for people. */
  public String server() {
    return tcp == null ? directory().toString() : tcp;
  }

  /** The server's socket; null for a TCP port. */
  @Nullable Path socket() {
    return tcp == null ? directory().toAbsolutePath().normalize().resolve("grpc.sock") : null;
  }

  /** The command that starts the server that the options name, on a Unix socket. */
  String serverCommand() {
    return directory().equals(PagetideClient.defaultDirectory())
        ? "pagetide-server"
        : "pagetide-server --dir " + directory();
  }

  /**
   * The session file: the one that {@code option} names, else PAGETIDE_SESSION, else the one in
   * this user's own directory. This method checks that directory, and makes it if {@code make} is
   * true.
   */
  Path sessionFile(@Nullable Path option, boolean make) {
    if (option != null) {
      return option;
    }
    String named = io.variable("PAGETIDE_SESSION");
    if (named != null) {
      return PathConverter.ofVariable("PAGETIDE_SESSION", named);
    }
    Path mine = SessionDirectory.path(io.variable("XDG_RUNTIME_DIR"));
    if (make) {
      SessionDirectory.prepare(mine);
    } else {
      SessionDirectory.check(mine);
    }
    return mine.resolve(SessionDirectory.fileName(otherServer()));
  }

  /** The server that the options name, if it is not the one in the usual directory. */
  private @Nullable String otherServer() {
    if (tcp != null) {
      return tcp;
    }
    Path asked = directory().toAbsolutePath().normalize();
    return asked.equals(PagetideClient.defaultDirectory()) ? null : asked.toString();
  }
}
