package dev.pagetide.server;

import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.FileSystems;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One reading of the options: turns what was given into {@link ServerOptions}, or into the list of
 * everything that is wrong with it.
 */
final class OptionReader {
  /** What a reading came to. */
  sealed interface Outcome {}

  /** All options are good. */
  record Accepted(ServerOptions options) implements Outcome {}

  /** Some are not: one line for each problem, without the command's name. */
  record Refused(List<String> problems) implements Outcome {}

  /** A bound of a value, and the words that say where it comes from. */
  private record Bound(long value, String reason) {}

  private record ResidentLimits(long bytes, long bytesPerUid, long bytesPerSession) {}

  private record RequestLimits(long calls, long bytes, long dataBytes) {}

  private static final long KIB = 1L << 10;
  private static final long MIB = 1L << 20;

  /** Above this, a client with gRPC's default limit of 4 MiB could not receive a Read's answer. */
  static final long MAX_MAX_DATA_BYTES = 3 * MIB;

  /**
   * What a message may weigh beside its data: the largest UseRange, 4096 spans of two numbers of at
   * most five bytes, is 56 KiB.
   */
  static final long MESSAGE_OVERHEAD_BYTES = 64 * KIB;

  /** A session's open files: its shared file and its connection. */
  private static final int FILES_PER_SESSION = 2;

  /** A hand-over's: its connection, the duplicate, and the connection of one told to try again. */
  private static final int FILES_PER_HANDOFF = 3;

  /** A hand-over takes some 100 us of one thread: more at once would only wait longer. */
  private static final long MAX_MAX_HANDOFFS = 16384;

  private static final Duration MIN_HANDOFF_WAIT = Duration.ofMillis(100);
  private static final Duration MAX_HANDOFF_WAIT = Duration.ofMinutes(1);

  /** Open files that are nobody's session: jars, sockets, event loops, the lock. */
  private static final int SPARE_FILES = 64;

  /** Mappings that are nobody's session: heap, libraries, the stacks of threads. */
  private static final int SPARE_MAPPINGS = 2048;

  private static final long MAX_REQUESTS = 1_000_000;
  private static final Duration MAX_DRAIN_WAIT = Duration.ofHours(1);

  private final Map<String, String> environment;
  private final HostLimits host;
  private final List<String> problems;
  private final OptionTexts texts;

  private OptionReader(
      Map<ServerOption, String> commandLine,
      Map<String, String> environment,
      HostLimits host,
      List<String> problems) {
    this.environment = environment;
    this.host = host;
    this.problems = problems;
    this.texts = OptionTexts.gather(commandLine, environment, problems);
  }

  /**
   * Reads the options.
   *
   * @param commandLine the values given on the command line
   * @param commandLineProblems what is already known to be wrong with the command line
   * @param environment the process's environment
   * @param host what the host grants this process
   */
  static Outcome read(
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
   * Parents are read before their children. A value that is refused counts as the largest allowed
   * one from there on, so that one mistake is named once, and not again at each of its children.
   */
  private ServerOptions readOptions() {
    Path directory = directory();
    int socketMode =
        value(ServerOption.SOCKET_MODE, 0600, OptionNotation::socketMode, /* refused= */ 0666);
    String socketGroup = socketGroup(socketMode);
    InetSocketAddress listen = address(ServerOption.LISTEN);
    InetSocketAddress http = address(ServerOption.HTTP);
    checkListeners(listen, http);

    ResidentLimits resident = residentLimits();
    long range =
        bytes(
            ServerOption.MAX_RANGE_BYTES,
            4 * MIB,
            new Bound(host.pageSize(), "the size of a page"),
            new Bound(
                (long) SharedFileLayout.MAX_PAGE_COUNT * host.pageSize(),
                "the most that a shared file can have"));
    long handoffs =
        count(
            ServerOption.MAX_HANDOFFS,
            64,
            new Bound(MAX_MAX_HANDOFFS, "the most that this version serves"));
    long sessions = count(ServerOption.MAX_SESSIONS, 1024, sessionsThatFit(handoffs));
    long sessionsPerUid =
        count(
            ServerOption.MAX_SESSIONS_PER_UID,
            Math.max(1, sessions / 2),
            new Bound(sessions, "which is --max-sessions"));
    RequestLimits requests = requestLimits();
    return new ServerOptions(
        directory,
        socketMode,
        socketGroup,
        listen,
        http,
        resident.bytes(),
        range,
        (int) sessions,
        (int) sessionsPerUid,
        resident.bytesPerUid(),
        resident.bytesPerSession(),
        (int) requests.dataBytes(),
        (int) requests.calls(),
        requests.bytes(),
        (int) handoffs,
        time(
            ServerOption.HANDOFF_WAIT,
            new Bound(MIN_HANDOFF_WAIT.toMillis(), "what a busy machine may take"),
            new Bound(MAX_HANDOFF_WAIT.toMillis(), "a minute")),
        time(
            ServerOption.DRAIN_WAIT,
            new Bound(0, "no time at all"),
            new Bound(MAX_DRAIN_WAIT.toMillis(), "an hour")));
  }

  private ResidentLimits residentLimits() {
    Bound smallestRange =
        new Bound(
            SharedFileLayout.of(host.pageSize(), 1).sizeBytes(),
            "what a range of one page takes (header, table, page)");
    long total =
        bytes(
            ServerOption.MAX_RESIDENT_BYTES,
            Math.max(smallestRange.value(), host.memoryBytes() / 4),
            smallestRange,
            new Bound(host.memoryBytes(), "the memory this process may have"));
    long perUid =
        bytes(
            ServerOption.MAX_RESIDENT_BYTES_PER_UID,
            Math.max(smallestRange.value(), total / 2),
            smallestRange,
            new Bound(total, "which is --max-resident-bytes"));
    long perSession =
        bytes(
            ServerOption.MAX_RESIDENT_BYTES_PER_SESSION,
            perUid,
            smallestRange,
            new Bound(perUid, "which is --max-resident-bytes-per-uid"));
    return new ResidentLimits(total, perUid, perSession);
  }

  private RequestLimits requestLimits() {
    long calls =
        count(
            ServerOption.MAX_REQUESTS_IN_FLIGHT,
            1024,
            new Bound(MAX_REQUESTS, "the most this version counts"));
    long bytes =
        bytes(
            ServerOption.MAX_REQUEST_BYTES_IN_FLIGHT,
            64 * MIB,
            new Bound(MESSAGE_OVERHEAD_BYTES + host.pageSize(), "what one Write of a page takes"),
            new Bound(Long.MAX_VALUE, "the largest number"));
    long dataBytes =
        bytes(ServerOption.MAX_DATA_BYTES, MIB, new Bound(1, "a byte"), dataThatFits(bytes));
    return new RequestLimits(calls, bytes, dataBytes);
  }

  private Path directory() {
    Path defaultPath = ServerDirectory.defaultPath(environment, host.uid());
    Path directory =
        value(
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
      problems.add(shown(ServerOption.DIR, directory) + ": " + tooLong);
    }
    return directory;
  }

  private @Nullable String socketGroup(int socketMode) {
    OptionTexts.Given given = texts.given(ServerOption.SOCKET_GROUP);
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
    OptionTexts.Given given = texts.given(option);
    String text = given == null ? option.defaultText() : given.text();
    if (text.equals(OptionNotation.OFF)) {
      return null;
    }
    try {
      return OptionNotation.address(text);
    } catch (IllegalArgumentException e) {
      problems.add(shown(option, text) + ": " + e.getMessage());
      return null;
    }
  }

  private void checkListeners(
      @Nullable InetSocketAddress listen, @Nullable InetSocketAddress http) {
    if (listen == null) {
      return;
    }
    String shown = shown(ServerOption.LISTEN, OptionNotation.OFF);
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
    long byMappings = host.maxMapCount() - SPARE_MAPPINGS;
    if (byFiles <= byMappings) {
      return new Bound(
          Math.min(byFiles, Integer.MAX_VALUE),
          "which is what %d open files allow (ulimit -n; %d a session, %d for each of %s, %d spare)"
              .formatted(
                  host.maxOpenFiles(),
                  FILES_PER_SESSION,
                  FILES_PER_HANDOFF,
                  shown(ServerOption.MAX_HANDOFFS, handoffs),
                  SPARE_FILES));
    }
    return new Bound(
        Math.min(byMappings, Integer.MAX_VALUE),
        "which is what vm.max_map_count=%d allows (one mapping a session, %d spare)"
            .formatted(host.maxMapCount(), SPARE_MAPPINGS));
  }

  private static Bound dataThatFits(long requestBytes) {
    long byRequests = requestBytes - MESSAGE_OVERHEAD_BYTES;
    return byRequests < MAX_MAX_DATA_BYTES
        ? new Bound(
            byRequests,
            "which is --max-request-bytes-in-flight less %d for the rest of a message"
                .formatted(MESSAGE_OVERHEAD_BYTES))
        : new Bound(MAX_MAX_DATA_BYTES, "because gRPC clients refuse messages over 4 MiB");
  }

  /** A time between two bounds, which are in milliseconds. */
  private Duration time(ServerOption option, Bound least, Bound most) {
    Duration wait =
        value(
            option,
            OptionNotation.time(option.defaultText()),
            OptionNotation::time,
            Duration.ofMillis(most.value()));
    boolean over = wait.toMillis() > most.value();
    if (over || wait.toMillis() < least.value()) {
      Bound bound = over ? most : least;
      problems.add(
          "%s: %d ms is %s %d, %s; give at %s %s"
              .formatted(
                  shown(option, ""),
                  wait.toMillis(),
                  over ? "above" : "below",
                  bound.value(),
                  bound.reason(),
                  over ? "most" : "least",
                  bound.value() % 1000 == 0 ? bound.value() / 1000 + "s" : bound.value() + "ms"));
    }
    return wait;
  }

  private long bytes(ServerOption option, long defaultValue, Bound least, Bound most) {
    return number(option, defaultValue, OptionNotation::sizeBytes, least, most);
  }

  private long count(ServerOption option, long defaultValue, Bound most) {
    return number(
        option, defaultValue, OptionNotation::count, new Bound(1, "the least there is"), most);
  }

  private long number(
      ServerOption option,
      long defaultValue,
      Function<String, Long> notation,
      Bound least,
      Bound most) {
    long value = value(option, defaultValue, notation, most.value());
    String shown = shown(option, defaultValue);
    if (most.value() < least.value()) {
      problems.add(
          "%s: nothing fits: at least %d, %s; at most %d, %s; raise what bounds it"
              .formatted(shown, least.value(), least.reason(), most.value(), most.reason()));
    } else if (value > most.value()) {
      problems.add(
          "%s: %d is above %d, %s; give at most %d"
              .formatted(shown, value, most.value(), most.reason(), most.value()));
    } else if (value < least.value()) {
      problems.add(
          "%s: %d is below %d, %s; give at least %d"
              .formatted(shown, value, least.value(), least.reason(), least.value()));
    } else {
      return value;
    }
    return Math.max(least.value(), most.value());
  }

  /** An option's value by its notation; {@code refused} where the text is not in that notation. */
  private <T> T value(
      ServerOption option, T defaultValue, Function<String, T> notation, T refused) {
    OptionTexts.Given given = texts.given(option);
    if (given == null) {
      return defaultValue;
    }
    try {
      return notation.apply(given.text());
    } catch (IllegalArgumentException e) {
      problems.add(given.shown() + ": " + e.getMessage());
      return refused;
    }
  }

  private String shown(ServerOption option, Object defaultValue) {
    OptionTexts.Given given = texts.given(option);
    return given != null ? given.shown() : option.flag() + "=" + defaultValue + " (default)";
  }
}
