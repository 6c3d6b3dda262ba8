package dev.pagetide.client.cli;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.ShrinkerClient;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pagetide count}: how many pages a scan could reclaim. */
@Command(name = "count", description = "Count the AVAILABLE pages: what shrink could reclaim.")
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

  @Override
  void run(ShrinkerClient shrinker, CommandIo io) {
    io.out().println(shrinker.count(rangeId));
    if (all) {
      MemoryStatus memory = shrinker.memory();
      io.out()
          .println(
              "resident %d of %d pages, available %d, waiting %d"
                  .formatted(
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
