package dev.pagetide.client.cli.top;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.cli.CommandFailure;
import dev.pagetide.client.cli.CommandIo;
import dev.pagetide.client.cli.Pagetide;
import dev.pagetide.client.cli.TimeConverter;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import org.jline.terminal.Terminal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code pagetide top}: memory, reclaim and the live ranges, continuously or once. */
@Command(
    name = "top",
    description = {
      "Watch how memory stands, what is reclaimed and who holds which pages.",
      "Keys: < > sort by another column, r reverse, arrows and PgUp PgDn scroll, h help, q quit."
    },
    footer = {
      "",
      "With --json each refresh is one line, an object with these fields:",
      "  time             when the server answered, ISO 8601",
      "  error            why it did not; then there are no other fields",
      "  page_size        bytes in a page",
      "  resident_pages, budget_pages, available_pages, waiting   as 'count --all' tells them",
      "  sessions         how many ranges there are",
      "  reclaimed_pages  since the server started, by what made it reclaim",
      "  ranges           range_id, name, pid (null: unknown), uid (null: TCP), transport, mode,",
      "                   open_time, free_pages, available_pages, used_pages, high_watermark,",
      "                   strays, contradictions, oldest_used_seconds (null: none is USED)",
      ""
    })
public final class TopCommand implements Callable<Integer> {
  private static final Duration LEAST_INTERVAL = Duration.ofMillis(100);

  /** Java's nanoseconds reach 292 years, and this is added to the clock's. */
  private static final Duration LONGEST_INTERVAL = Duration.ofDays(36_500);

  /** How long the server may take to answer. For 10,000 ranges it needs a small part of that. */
  private static final Duration ANSWER_TIME = Duration.ofSeconds(5);

  private static final int ANY_WIDTH = 1 << 20;

  private enum Colour {
    AUTO,
    ALWAYS,
    NEVER
  }

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Option(
      names = "--interval",
      paramLabel = "TIME",
      defaultValue = "1s",
      converter = TimeConverter.class,
      description = "How often to ask the server, such as 500ms or 5s (default: 1s).")
  private Duration interval = Duration.ofSeconds(1);

  @Option(
      names = "--once",
      description = "Print how things stand now, and end (default: go on until interrupted).")
  private boolean once;

  @Option(
      names = "--json",
      description = "Print a line of JSON each time, for scripts (default: draw on the terminal).")
  private boolean json;

  @Option(
      names = "--sort",
      paramLabel = "COLUMN",
      defaultValue = "USED",
      description =
          "What to sort by, the largest or the first in front: ${COMPLETION-CANDIDATES}"
              + " (default: used).")
  private TopColumn sort = TopColumn.USED;

  @Option(names = "--reverse", description = "Sort the other way round (default: as --sort says).")
  private boolean reverse;

  @Option(
      names = "--color",
      paramLabel = "WHEN",
      defaultValue = "AUTO",
      description = "auto, always or never (default: auto, on a terminal unless NO_COLOR is set).")
  private Colour colour = Colour.AUTO;

  @Override
  public Integer call() throws IOException {
    if (interval.compareTo(LEAST_INTERVAL) < 0) {
      throw new ParameterException(
          spec.commandLine(), "--interval is less than " + LEAST_INTERVAL.toMillis() + "ms");
    }
    CommandIo io = pagetide.io();
    try (TopSource source =
        new TopSource(() -> pagetide.connect(ClientOptions.DEFAULT.withCallTimeout(ANSWER_TIME)))) {
      if (once) {
        print(io, json ? List.of(TopJson.answer(source.ask())) : listing(io, source.ask()));
      } else if (json) {
        repeat(io, source);
      } else {
        watch(io, source);
      }
    }
    return 0;
  }

  /** An interval in nanoseconds. More than a century is cut to a century. */
  static long nanos(Duration interval) {
    return interval.compareTo(LONGEST_INTERVAL) < 0
        ? interval.toNanos()
        : LONGEST_INTERVAL.toNanos();
  }

  private TopView view() {
    return new TopView(sort, reverse, 0, false);
  }

  private boolean isColoured(CommandIo io) {
    return switch (colour) {
      case AUTO -> io.colour();
      case ALWAYS -> true;
      case NEVER -> false;
    };
  }

  private List<String> listing(CommandIo io, TopSnapshot snapshot) throws IOException {
    boolean coloured = isColoured(io);
    TopRenderer renderer =
        new TopRenderer(new TopStyle(coloured, false), pagetide.server(), ZoneId.systemDefault());
    return renderer.listing(TopState.NOTHING.answered(snapshot), view(), width(io)).stream()
        .map(line -> coloured ? line.toAnsi() : line.toString())
        .map(String::stripTrailing)
        .toList();
  }

  /** The terminal's width; without a terminal, as much as the text needs. */
  private static int width(CommandIo io) throws IOException {
    if (!io.terminal()) {
      return ANY_WIDTH;
    }
    try (Terminal terminal = TopScreen.terminal()) {
      int columns = terminal.getSize().getColumns();
      return columns > 0 ? columns : ANY_WIDTH;
    }
  }

  /** Repeats, even while the server does not answer, until no process reads the output. */
  private void repeat(CommandIo io, TopSource source) {
    long due = System.nanoTime();
    while (true) {
      String line;
      try {
        line = TopJson.answer(source.ask());
      } catch (PagetideException e) {
        line = TopJson.failure(Instant.now(), pagetide.problem(e));
      }
      print(io, List.of(line));
      due = Math.max(due + nanos(interval), System.nanoTime());
      while (due - System.nanoTime() > 0) {
        LockSupport.parkNanos(due - System.nanoTime());
      }
    }
  }

  private static void print(CommandIo io, List<String> lines) {
    lines.forEach(io.out()::println);
    String problem = io.outputProblem();
    if (problem != null) {
      throw new CommandFailure(problem);
    }
  }

  private void watch(CommandIo io, TopSource source) throws IOException {
    if (!io.terminal() || io.environment().getOrDefault("TERM", "dumb").equals("dumb")) {
      throw new CommandFailure(
          "there is no terminal to draw on; give --once, or --json for a line each time");
    }
    new TopLoop(source, interval, view(), pagetide::problem)
        .run(io, isColoured(io), pagetide.server());
  }
}
