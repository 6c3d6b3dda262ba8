package dev.pagetide.server;

import dev.pagetide.server.config.OptionNotation;
import dev.pagetide.server.config.OptionReader;
import dev.pagetide.server.config.ServerOption;
import dev.pagetide.server.config.ServerOptions;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.web.HttpFront;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The command {@code pagetide-server}: reads the options, runs one server in the foreground, and
 * ends with it.
 *
 * <p>Exit codes: 0 after TERM, INT or HUP and draining, or after {@code --help} and {@code
 * --version}; 1 if the server could not start or end; 2 if an option, or the folder for temporary
 * files, is bad; 3 if the process is out of memory. The process writes only the ready line to
 * standard output, and everything else to standard error.
 */
public final class PagetideServer {
  private static final Logger LOG = LoggerFactory.getLogger(PagetideServer.class);
  private static final String NAME = "pagetide-server";
  private static final int OK = 0;
  private static final int FAILED = 1;
  private static final int BAD_OPTIONS = 2;

  private final Map<String, String> environment;
  private final PrintStream out;
  private final PrintStream err;

  PagetideServer(Map<String, String> environment, PrintStream out, PrintStream err) {
    this.environment = environment;
    this.out = out;
    this.err = err;
  }

  /** Runs the command and ends the process with its exit code. */
  public static void main(String[] args) {
    // scripts read our numbers, whatever locale the server starts in
    Locale.setDefault(Locale.ROOT);
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    int exit = FAILED;
    try {
      exit = new PagetideServer(System.getenv(), out, err).run(args);
    } catch (RuntimeException | Error e) {
      // Logged here rather than thrown, because the threads of a half-started server would keep the
      // process alive.
      LOG.error("ended by a bug of the server", e);
    }
    LogOutput.end();
    System.exit(exit);
  }

  /** Runs the command. Returns its exit code, unless a signal ends the process first. */
  int run(String... args) {
    CommandLine command = new CommandLine(spec());
    // Both settings are there so that the operator sees every problem, not only the first one.
    command.setUnmatchedArgumentsAllowed(true);
    command.getCommandSpec().parser().collectErrors(true);
    command.setExpandAtFiles(false);
    ParseResult parsed = command.parseArgs(args);
    if (parsed.isUsageHelpRequested()) {
      command.usage(out);
      return OK;
    }
    if (parsed.isVersionHelpRequested()) {
      command.printVersionHelp(out);
      return OK;
    }
    try {
      OptionReader.Outcome reading =
          OptionReader.read(
              values(parsed), problems(parsed), environment, HostLimits.read(Path.of("/")));
      List<String> problems = new ArrayList<>();
      if (reading instanceof OptionReader.Refused refused) {
        problems.addAll(refused.problems());
      }
      NativeTransport.problem().ifPresent(problems::add);
      problems.forEach(problem -> err.println(NAME + ": " + problem));
      return problems.isEmpty() && reading instanceof OptionReader.Accepted accepted
          ? serve(accepted.options())
          : BAD_OPTIONS;
    } catch (StartupException e) {
      // Since the check at the start, other processes of the user may have taken the last threads.
      return fail(ThreadLimit.isReached(e) ? ThreadLimit.SENTENCE : e.getMessage());
    } catch (OutOfMemoryError e) {
      if (!ThreadLimit.isReached(e)) {
        throw e;
      }
      return fail(ThreadLimit.SENTENCE);
    }
  }

  private int fail(@Nullable String why) {
    err.println(NAME + ": " + why);
    return FAILED;
  }

  private int serve(ServerOptions options) throws StartupException {
    ThreadLimit.check();
    RunningServer server = RunningServer.start(options);
    // Not before: what is missing at the start is told in a sentence.
    OutOfMemory.endsTheProcess();
    StopSignals signals = new StopSignals();
    Thread end = new Thread(() -> endAndHalt(server, signals), "pagetide-end");
    Runtime.getRuntime().addShutdownHook(end);
    listen(signals, server, end);
    LOG.info(
        "started: version={} dir={} budget_bytes={} pressure={} pid={}",
        BuildVersion.text(),
        options.reach().directory(),
        options.memory().budgetBytes(),
        options.pressure().name().toLowerCase(Locale.ROOT).replace('_', '-'),
        ProcessHandle.current().pid());
    HttpFront http = server.http();
    String mapUrl = http == null ? null : http.mapUrl();
    InetSocketAddress tcp = server.tcp();
    out.println(
        "ready grpc="
            + server.grpcTarget()
            + " http="
            + (http == null ? OptionNotation.OFF : http.url())
            + " pid="
            + ProcessHandle.current().pid()
            + (mapUrl == null ? "" : " map=" + mapUrl)
            + (tcp == null ? "" : " listen=" + HttpFront.hostAndPort(tcp)));
    server.awaitEnd();
    return OK;
  }

  private static void listen(StopSignals signals, RunningServer server, Thread end)
      throws StartupException {
    try {
      signals.listen();
    } catch (StartupException e) {
      Runtime.getRuntime().removeShutdownHook(end); // its exit code would be that of a success
      server.close();
      throw e;
    }
  }

  /**
   * Ends the server and the process. The process ends here, because a JVM that TERM ends would exit
   * with 143.
   */
  private static void endAndHalt(RunningServer server, StopSignals signals) {
    int exit = OK;
    try (server) {
      String signal = signals.first();
      server.drain(signal == null ? "the process was told to exit" : "signal=" + signal);
    } catch (RuntimeException | Error e) {
      LOG.error("ending failed", e);
      exit = FAILED;
    }
    LogOutput.end();
    Runtime.getRuntime().halt(exit);
  }

  private static CommandSpec spec() {
    CommandSpec spec = CommandSpec.create().name(NAME).version(NAME + " " + BuildVersion.text());
    spec.usageMessage()
        .description("Lends shared-memory pages to processes and takes back the ones nobody uses.")
        .abbreviateSynopsis(true)
        .sortOptions(false)
        .width(100)
        .footer(
            "",
            "Every option can be given in the environment, too: --max-sessions as"
                + " PAGETIDE_MAX_SESSIONS (an empty variable counts as not set), and, without its"
                + " dashes, in the file of --config. The command line beats the environment, which"
                + " beats the file.",
            "SIZE: bytes, or with a unit: 65536, 64KiB, 4MiB, 1GiB. TIME: 500ms, 2s.",
            "When the server is ready it prints one line to standard output: ready"
                + " grpc=unix:DIR/grpc.sock http=http://HOST:PORT pid=N"
                + " map=http://HOST:PORT/?key=KEY, and listen=HOST:PORT with --listen. TERM, INT"
                + " and HUP end it with 0, after"
                + " --drain-wait at most (HUP is ignored under nohup). It ends with 1 if it could"
                + " not start or end, with 2 if an option or its folder for temporary files is bad,"
                + " and with 3 if it is out of memory.");
    for (ServerOption option : ServerOption.values()) {
      spec.addOption(
          OptionSpec.builder(option.flag())
              .paramLabel(option.valueLabel())
              .type(String.class)
              .arity("1")
              .description(option.meaning() + " Default: " + option.defaultText() + ".")
              .build());
    }
    spec.addOption(
        OptionSpec.builder("--help", "-h")
            .usageHelp(true)
            .description("Print this text and exit.")
            .build());
    spec.addOption(
        OptionSpec.builder("--version", "-V")
            .versionHelp(true)
            .description("Print the version and exit.")
            .build());
    return spec;
  }

  private static Map<ServerOption, String> values(ParseResult parsed) {
    Map<ServerOption, String> values = new EnumMap<>(ServerOption.class);
    for (ServerOption option : ServerOption.values()) {
      String text = parsed.matchedOptionValue(option.flag(), (String) null);
      if (text != null) {
        values.put(option, text);
      }
    }
    return values;
  }

  private static List<String> problems(ParseResult parsed) {
    List<String> problems = new ArrayList<>();
    for (String argument : parsed.unmatched()) {
      problems.add(
          argument
              + (argument.startsWith("-") ? ": unknown option" : ": not an option")
              + "; --help lists those there are");
    }
    for (Exception error : parsed.errors()) {
      problems.add(
          switch (error) {
            case CommandLine.MissingParameterException missing ->
                missing.getMissing().getFirst() instanceof OptionSpec option
                    ? String.format(
                        Locale.ROOT,
                        "%s: value missing; give %1$s=%s",
                        option.longestName(),
                        option.paramLabel())
                    : missing.getMessage();
            case CommandLine.OverwrittenOptionException twice ->
                twice.getOverwritten() instanceof OptionSpec option
                    ? option.longestName() + ": given more than once; give it once"
                    : twice.getMessage();
            default -> String.valueOf(error.getMessage());
          });
    }
    return problems;
  }
}
