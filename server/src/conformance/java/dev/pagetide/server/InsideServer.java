package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.config.OptionNotation;
import dev.pagetide.server.config.OptionReader;
import dev.pagetide.server.config.ServerOption;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.page.ServerTerms;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionFailure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A whole server in this process, wired as the command wires it, on a directory of its own: clients
 * reach it by its sockets, and tests what lies beneath.
 */
public final class InsideServer implements AutoCloseable {
  private final Path parent;
  private final RunningServer server;

  private InsideServer(Path parent, RunningServer server) {
    this.parent = parent;
    this.server = server;
  }

  /** Starts a server; when it returns, clients can connect. */
  public static InsideServer start(ServerTerms terms) {
    String budget = Long.toString(terms.budgetPages() * Memfd.systemPageSize());
    try {
      // Not below the build's folder: a Unix socket's path has at most 107 bytes.
      Path parent = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
      Map<ServerOption, String> values = new EnumMap<>(ServerOption.class);
      values.put(ServerOption.DIR, parent.resolve("d").toString());
      values.put(ServerOption.HTTP, OptionNotation.OFF);
      // Nothing is taken but what the test asks for, however short of memory this machine is.
      values.put(ServerOption.PRESSURE, OptionNotation.OFF);
      values.put(ServerOption.MAX_RESIDENT_BYTES, budget);
      values.put(ServerOption.MAX_RESIDENT_BYTES_PER_UID, budget);
      values.put(ServerOption.MAX_RESIDENT_BYTES_PER_SESSION, budget);
      values.put(ServerOption.LOW_WATERMARK, "0");
      values.put(ServerOption.HIGH_WATERMARK, budget);
      values.put(ServerOption.ALLOCATION_WAIT, "0ms");
      values.put(ServerOption.PROTECT_RECENT, "0ms");
      if (terms.maxRangeBytes() != ServerTerms.DEFAULT_RANGE_BYTES) {
        values.put(ServerOption.MAX_RANGE_BYTES, Long.toString(terms.maxRangeBytes()));
      }
      return switch (OptionReader.read(
          values, List.of(), Map.of(), HostLimits.read(Path.of("/")))) {
        case OptionReader.Accepted accepted ->
            new InsideServer(parent, RunningServer.start(accepted.options(), terms.files()));
        case OptionReader.Refused refused -> throw new AssertionError(refused.problems());
      };
    } catch (IOException | StartupException e) {
      throw new AssertionError(e);
    }
  }

  /** Where its sockets are. */
  public Path directory() {
    return parent.resolve("d");
  }

  /** The server's shrinker. */
  public Shrinker shrinker() {
    return server.core().shrinker();
  }

  /** The server's whole budget. */
  public PageBudget budget() {
    return server.core().budget();
  }

  /** What lies beneath a live session. */
  public ShrinkablePageRange range(long rangeId) {
    return server.core().sessions().find(rangeId).range();
  }

  /** Returns once a session has ended and given everything back. */
  public void awaitEnd(long rangeId) {
    await()
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(1))
        .until(() -> {
          try {
            return server.core().sessions().find(rangeId) == null;
          } catch (SessionFailure.Unknown e) {
            return true;
          }
        });
  }

  /** Stops the server, whose sessions have all ended. */
  @Override
  public void close() {
    assertThat(server.core().sessions().size()).as("live sessions").isZero();
    server.close();
    try (Stream<Path> files = Files.walk(parent)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
