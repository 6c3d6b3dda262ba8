package dev.pagetide.client.cli;

import com.google.gson.JsonObject;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ShrinkerClient;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pagetide ranges}: a table of the live ranges. */
@Command(
    name = "ranges",
    description = "List the live ranges.",
    footer = {
      "",
      "With --json it is one line, an object with one field, an array with an object for each:",
      "  ranges  range_id, name, pid (null: unknown), uid (null: TCP), transport (unix, tcp),",
      "          mode (pages, buffers), open_time (ISO 8601), free_pages, available_pages,",
      "          used_pages, high_watermark (one past the highest page that ever held memory),",
      "          strays, contradictions, oldest_used_seconds (null: none is USED)",
      ""
    })
final class RangesCommand extends OperatorCommand {

  private static final List<String> HEAD =
      List.of(
          "RANGE",
          "PID",
          "UID",
          "FREE",
          "AVAILABLE",
          "USED",
          "HIGH",
          "STRAYS",
          "CONTRADICTIONS",
          "OPENED",
          "NAME");

  @Option(
      names = "--range",
      paramLabel = "ID",
      converter = RangeIdConverter.class,
      description = "Only the range of that id (default: all ranges).")
  private @Nullable Long rangeId;

  @Option(names = "--json", description = "Print a line of JSON, for scripts (default: a table).")
  private boolean json;

  @Override
  void run(ShrinkerClient shrinker, CommandIo io) {
    List<RangeStatus> ranges = shrinker.listRanges();
    if (rangeId != null) {
      long only = rangeId;
      ranges = ranges.stream().filter(range -> range.rangeId() == only).toList();
      if (ranges.isEmpty()) {
        throw new CommandFailure(
            "there is no range " + Long.toUnsignedString(only) + "; 'pagetide ranges' lists them");
      }
    }
    if (json) {
      JsonObject answer = new JsonObject();
      answer.add("ranges", RangeJson.ranges(ranges));
      io.out().println(RangeJson.line(answer));
      return;
    }
    table(ranges).forEach(io.out()::println);
  }

  /**
   * The table's lines. Numbers are right-aligned; the name is last, because the client chose its
   * length.
   */
  static List<String> table(List<RangeStatus> ranges) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(HEAD);
    ranges.forEach(range -> rows.add(row(range)));
    int[] widths = new int[HEAD.size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    return rows.stream().map(row -> line(row, widths)).toList();
  }

  private static String line(List<String> row, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length - 1; i++) {
      line.repeat(' ', widths[i] - row.get(i).length()).append(row.get(i)).append("  ");
    }
    return line.append(row.getLast()).toString().stripTrailing();
  }

  private static List<String> row(RangeStatus range) {
    return List.of(
        Long.toUnsignedString(range.rangeId()),
        RangeTexts.pid(range),
        RangeTexts.uid(range),
        Integer.toString(range.freePages()),
        Integer.toString(range.availablePages()),
        Integer.toString(range.usedPages()),
        Integer.toString(range.highWatermark()),
        Long.toString(range.strays()),
        Long.toString(range.contradictions()),
        range.openTime().truncatedTo(ChronoUnit.SECONDS).toString(),
        TerminalText.escape(range.name()));
  }
}
