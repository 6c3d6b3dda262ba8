package dev.pagetide.client.cli;

import com.google.gson.JsonObject;
import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.ShrinkerClient;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pagetide count}: how many pages a scan could reclaim. */
@Command(
    name = "count",
    description = "Count the AVAILABLE pages: what shrink could reclaim.",
    footer = {
      "",
      "With --json it is one line, an object with these fields, with --all the later ones, too:",
      "  count            pages that shrink could reclaim, with --range in that range",
      "  page_size        bytes in a page",
      "  resident_pages   pages charged to the budget",
      "  budget_pages     the most that can be",
      "  available_pages  pages that shrink could reclaim, in all ranges",
      "  waiting          uses and openings that wait for memory",
      "  reclaimed_pages  since the server started, by what made it reclaim",
      ""
    })
final class CountCommand extends OperatorCommand {

  @Option(
      names = "--range",
      paramLabel = "ID",
      converter = RangeIdConverter.class,
      defaultValue = "0",
      description = "Only in the range of that id (default: all ranges).")
  private long rangeId;

  @Option(
      names = "--all",
      description =
          "Say how the whole server's memory stands, too, and what made it reclaim pages so far"
              + " (default: one number).")
  private boolean all;

  @Option(names = "--json", description = "Print a line of JSON, for scripts (default: text).")
  private boolean json;

  @Override
  void run(ShrinkerClient shrinker, CommandIo io) {
    long count = shrinker.count(rangeId);
    if (json) {
      JsonObject answer = new JsonObject();
      answer.addProperty("count", count);
      if (all) {
        MemoryStatus memory = shrinker.memory();
        RangeJson.addMemory(answer, memory);
        answer.add("reclaimed_pages", RangeJson.reclaimed(memory));
      }
      io.out().println(RangeJson.line(answer));
      return;
    }
    io.out().println(count);
    if (all) {
      MemoryStatus memory = shrinker.memory();
      io.out()
          .println(
              String.format(
                  Locale.ROOT,
                  "resident %d of %d pages, available %d, waiting %d",
                  memory.residentPages(),
                  memory.budgetPages(),
                  memory.availablePages(),
                  memory.waiting()));
      memory.reclaimedPages().entrySet().stream()
          .sorted(Map.Entry.comparingByKey())
          .forEach(reclaimed ->
              io.out()
                  .println(
                      "reclaimed "
                          + reclaimed.getValue()
                          + " for "
                          + RangeTexts.trigger(reclaimed.getKey())));
    }
  }
}
