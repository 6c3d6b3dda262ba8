package dev.pagetide.server.config;

import dev.pagetide.server.config.OptionValues.Bound;
import dev.pagetide.server.directory.ServerDirectory;
import dev.pagetide.server.handoff.HandoffConfig;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.pressure.PressureMode;
import dev.pagetide.server.transaction.TransactRule;
import dev.pagetide.server.transaction.TransactionConfig;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.FileSystems;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One reading of the options. It turns the given texts into {@link ServerOptions}, or into the list
 * of everything that is wrong with them.
 */
public final class OptionReader {
  /** The result of a reading. */
  public sealed interface Outcome {}

  /** All options are good. */
  public record Accepted(ServerOptions options) implements Outcome {}

  /** Some options are bad: one line for each problem, without the command's name. */
  public record Refused(List<String> problems) implements Outcome {}

  private static final long KIB = 1L << 10;
  private static final long MIB = 1L << 20;

  /**
   * The largest {@code --max-data-bytes}. With a larger one, a client with gRPC's default limit of
   * 4 MiB could not receive the answer of a Read.
   */
  static final long MAX_MAX_DATA_BYTES = 3 * MIB;

  /**
   * Room for the parts of a request besides its data. The largest request of one call is a UseRange
   * of 4096 spans, each of two numbers of at most five bytes, which takes 56 KiB. A message of an
   * Exchange may be larger, because it may hold 256 further commands; the server serves that, too.
   */
  static final long REQUEST_OVERHEAD_BYTES = 64 * KIB;

  /** Connections without a session: of those that observe the server, or are about to open one. */
  private static final long FURTHER_CONNECTIONS = 256;

  /** A session's open files: its shared file and its connection. */
  private static final int FILES_PER_SESSION = 2;

  /**
   * The open files of a hand-off: its connection, the duplicate, and the connection of a client
   * that is told to try again.
   */
  private static final int FILES_PER_HANDOFF = 3;

  /** A hand-off takes some 100 us of one thread, so more of them at once would only wait longer. */
  private static final long MAX_MAX_HANDOFFS = 16384;

  private static final Duration MIN_CLIENT_WAIT = Duration.ofMillis(100);
  private static final Duration MIN_IDLE_WAIT = Duration.ofSeconds(1);
  private static final Duration MAX_IDLE_WAIT = Duration.ofDays(1);

  /**
   * Open files that belong to no session: jars, sockets, event loops, the lock (some 35), at most 4
   * for each control group, and 256 connections of the HTTP listener.
   */
  private static final int SPARE_FILES = 96 + 256;

  /** Mappings that belong to no session: heap, libraries, the stacks of threads. */
  private static final int SPARE_MAPPINGS = 2048;

  /**
   * A session's mappings: header and table, and the data if the server copies transactions there.
   */
  private static final int MAPPINGS_PER_SESSION = 2;

  private static final long MAX_REQUESTS = 1_000_000;
  private static final int MAX_MAX_BUFFERS = 1 << 20;
  private static final int MAX_MAX_TRANSACTIONS = 1 << 20;
  private static final Duration MAX_DRAIN_WAIT = Duration.ofHours(1);

  private final Map<String, String> environment;
  private final HostLimits host;
  private final List<String> problems;
  private final OptionValues values;

  private OptionReader(
      Map<ServerOption, String> commandLine,
      Map<String, String> environment,
      HostLimits host,
      List<String> problems) {
    this.environment = environment;
    this.host = host;
    this.problems = problems;
    this.values = new OptionValues(commandLine, environment, problems);
  }

  /**
   * Reads the options.
   *
   * @param commandLine the values given on the command line
   * @param commandLineProblems what is already known to be wrong with the command line
   * @param environment the process's environment
   * @param host the limits that the host sets for this process
   */
  public static Outcome read(
      Map<ServerOption, String> commandLine,
      List<String> commandLineProblems,
      Map<String, String> environment,
      HostLimits host) {
    List<String> problems = new ArrayList<>(commandLineProblems);
    ServerOptions options =
        new OptionReader(commandLine, environment, host, problems).readOptions();
    return problems.isEmpty() ? new Accepted(options) : new Refused(List.copyOf(problems));
  }

  /*
   * A limit is read before those below it. OptionValues says which value then stands for a refused
   * one.
   */
  private ServerOptions readOptions() {
    Path directory = directory();
    int socketMode =
        values.value(
            ServerOption.SOCKET_MODE, 0600, OptionNotation::socketMode, /* refused= */ 0666);
    String socketGroup = socketGroup(socketMode);
    InetSocketAddress listen = address(ServerOption.LISTEN);
    InetSocketAddress http = address(ServerOption.HTTP);
    checkListeners(listen, http);

    // Halves protect users from each other. If there is only one user, they would deny it the other
    // half for nothing.
    boolean oneUid = socketMode == 0600 && listen == null;
    MemoryOptions memory = MemoryOptions.read(values, host, oneUid);
    long handoffs =
        values.count(
            ServerOption.MAX_HANDOFFS,
            64,
            new Bound(MAX_MAX_HANDOFFS, "the most that this version serves"));
    long sessions = values.count(ServerOption.MAX_SESSIONS, 1024, sessionsThatFit(handoffs));
    long sessionsPerUid =
        values.count(
            ServerOption.MAX_SESSIONS_PER_UID,
            oneUid ? sessions : Math.max(1, sessions / 2),
            new Bound(sessions, "which is --max-sessions"));
    long connections =
        values.count(
            ServerOption.MAX_CONNECTIONS,
            defaultConnections(sessions, handoffs),
            connectionsThatFit(sessions, handoffs));
    ServerOptions.Requests requests = requests(oneUid);
    return new ServerOptions(
        new ServerOptions.Reach(
            directory, socketMode, socketGroup, listen, http, clientWait(ServerOption.HTTP_WAIT)),
        memory.memory(),
        memory.reclaim(),
        values.value(
            ServerOption.PRESSURE,
            PressureMode.ON,
            OptionNotation::pressure,
            /* refused= */ PressureMode.ON),
        new ServerOptions.Sessions(
            (int) sessions,
            (int) sessionsPerUid,
            values.time(
                ServerOption.DRAIN_WAIT,
                new Bound(0, "no time at all"),
                new Bound(MAX_DRAIN_WAIT.toMillis(), "an hour"))),
        new ServerOptions.Connections(
            (int) connections, (int) (oneUid ? connections : Math.max(1, connections / 2))),
        requests,
        transactions(memory.memory().allocationWait()),
        new HandoffConfig((int) handoffs, clientWait(ServerOption.HANDOFF_WAIT)));
  }

  private Duration clientWait(ServerOption option) {
    return values.time(
        option,
        new Bound(MIN_CLIENT_WAIT.toMillis(), "what a busy machine may take"),
        OptionValues.MAX_WAIT);
  }

  private TransactionConfig transactions(Duration allocationWait) {
    return new TransactionConfig(
        (int)
            values.count(
                ServerOption.MAX_BUFFERS, 4096, new Bound(MAX_MAX_BUFFERS, "the most served")),
        (int)
            values.count(
                ServerOption.MAX_TRANSACTIONS,
                1024,
                new Bound(MAX_MAX_TRANSACTIONS, "the most served")),
        allocationWait.toNanos(),
        values.value(
            ServerOption.ALLOW_TRANSACTIONS,
            TransactRule.OWN,
            OptionNotation::transactRule,
            /* refused= */ TransactRule.OWN));
  }

  private ServerOptions.Requests requests(boolean oneUid) {
    long calls =
        values.count(
            ServerOption.MAX_REQUESTS_IN_FLIGHT,
            1024,
            new Bound(MAX_REQUESTS, "the most this version counts"));
    long bytes =
        values.bytes(
            ServerOption.MAX_REQUEST_BYTES_IN_FLIGHT,
            64 * MIB,
            new Bound(REQUEST_OVERHEAD_BYTES + host.pageSize(), "what one Write of a page takes"),
            new Bound(Long.MAX_VALUE, "the largest number"));
    long dataBytes =
        values.bytes(ServerOption.MAX_DATA_BYTES, MIB, new Bound(1, "a byte"), dataThatFits(bytes));
    Duration wait = clientWait(ServerOption.REQUEST_WAIT);
    Duration idleWait =
        values.time(
            ServerOption.IDLE_WAIT,
            new Bound(MIN_IDLE_WAIT.toMillis(), "the least that gRPC keeps"),
            new Bound(MAX_IDLE_WAIT.toMillis(), "a day"));
    return new ServerOptions.Requests((int) dataBytes, (int) calls, bytes, oneUid, wait, idleWait);
  }

  private Path directory() {
    Path defaultPath = ServerDirectory.defaultPath(environment, host.uid());
    Path directory =
        values.value(
            ServerOption.DIR,
            defaultPath,
            text -> {
              if (text.isEmpty()) {
                throw new IllegalArgumentException("no path; give the path of a directory");
              }
              try {
                return Path.of(text).toAbsolutePath();
              } catch (InvalidPathException e) {
                throw new IllegalArgumentException(
                    "not a path (" + e.getReason() + "); give the path of a directory", e);
              }
            },
            Path.of("/"));
    String tooLong = ServerDirectory.lengthProblem(directory);
    if (tooLong != null) {
      problems.add(values.shown(ServerOption.DIR, directory) + ": " + tooLong);
    }
    return directory;
  }

  private @Nullable String socketGroup(int socketMode) {
    OptionTexts.Given given = values.given(ServerOption.SOCKET_GROUP);
    if (given == null) {
      return null;
    }
    if (socketMode == 0600) {
      problems.add(
          given.shown()
              + ": --socket-mode=0600 gives a group nothing; add --socket-mode=0660, or leave out"
              + " the group");
    }
    try {
      FileSystems.getDefault()
          .getUserPrincipalLookupService()
          .lookupPrincipalByGroupName(given.text());
    } catch (UserPrincipalNotFoundException e) {
      problems.add(
          given.shown() + ": this host has no such group; create it, or name one that exists");
    } catch (IOException e) {
      problems.add(
          given.shown()
              + ": looking for the group failed ("
              + e.getMessage()
              + "); try its number");
    }
    return given.text();
  }

  private @Nullable InetSocketAddress address(ServerOption option) {
    OptionTexts.Given given = values.given(option);
    String text = given == null ? option.defaultText() : given.text();
    if (text.equals(OptionNotation.OFF)) {
      return null;
    }
    try {
      return OptionNotation.address(text);
    } catch (IllegalArgumentException e) {
      problems.add(values.shown(option, text) + ": " + e.getMessage());
      return null;
    }
  }

  private void checkListeners(
      @Nullable InetSocketAddress listen, @Nullable InetSocketAddress http) {
    if (listen == null) {
      return;
    }
    String shown = values.shown(ServerOption.LISTEN, OptionNotation.OFF);
    if (!listen.getAddress().isLoopbackAddress()) {
      problems.add(
          shown
              + ": not a loopback address; beyond loopback a listener needs mutual TLS, which this"
              + " version does not have: listen on 127.0.0.1 or [::1]");
    }
    if (listen.equals(http) && listen.getPort() != 0) {
      problems.add(
          shown + ": --http has the same address; give one of the two another port, or port 0");
    }
  }

  private Bound sessionsThatFit(long handoffs) {
    long byFiles =
        (host.maxOpenFiles() - SPARE_FILES - handoffs * FILES_PER_HANDOFF) / FILES_PER_SESSION;
    long byMappings = (host.maxMapCount() - SPARE_MAPPINGS) / MAPPINGS_PER_SESSION;
    if (byFiles <= byMappings) {
      return new Bound(
          Math.min(byFiles, Integer.MAX_VALUE),
          String.format(
              Locale.ROOT,
              "which is what %d open files allow (ulimit -n; %d a session, %d for each of %s, %d"
                  + " spare)",
              host.maxOpenFiles(),
              FILES_PER_SESSION,
              FILES_PER_HANDOFF,
              values.shown(ServerOption.MAX_HANDOFFS, handoffs),
              SPARE_FILES));
    }
    return new Bound(
        Math.min(byMappings, Integer.MAX_VALUE),
        String.format(
            Locale.ROOT,
            "which is what vm.max_map_count=%d allows (%d mappings a session, %d spare)",
            host.maxMapCount(),
            MAPPINGS_PER_SESSION,
            SPARE_MAPPINGS));
  }

  /** The open files that sessions, hand-offs and the server itself leave to connections. */
  private long filesForConnections(long sessions, long handoffs) {
    return host.maxOpenFiles() - SPARE_FILES - handoffs * FILES_PER_HANDOFF - sessions;
  }

  private long defaultConnections(long sessions, long handoffs) {
    return Math.min(
        sessions + FURTHER_CONNECTIONS, Math.max(1, filesForConnections(sessions, handoffs)));
  }

  private Bound connectionsThatFit(long sessions, long handoffs) {
    if (!values.areGood(ServerOption.MAX_SESSIONS, ServerOption.MAX_HANDOFFS)) {
      return new Bound(Integer.MAX_VALUE, "the most there are");
    }
    return new Bound(
        Math.min(filesForConnections(sessions, handoffs), Integer.MAX_VALUE),
        String.format(
            Locale.ROOT,
            "which is what %d open files leave (ulimit -n; 1 for each of %s, %d for each of %s, %d"
                + " spare)",
            host.maxOpenFiles(),
            values.shown(ServerOption.MAX_SESSIONS, sessions),
            FILES_PER_HANDOFF,
            values.shown(ServerOption.MAX_HANDOFFS, handoffs),
            SPARE_FILES));
  }

  private static Bound dataThatFits(long requestBytes) {
    long byRequests = requestBytes - REQUEST_OVERHEAD_BYTES;
    return byRequests < MAX_MAX_DATA_BYTES
        ? new Bound(
            byRequests,
            String.format(
                Locale.ROOT,
                "which is --max-request-bytes-in-flight less %d for the rest of a message",
                REQUEST_OVERHEAD_BYTES))
        : new Bound(MAX_MAX_DATA_BYTES, "because gRPC clients refuse messages over 4 MiB");
  }
}
