package dev.pagetide.client.cli;

import dev.pagetide.client.ShrinkerClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pagetide count}: how many pages a scan could reclaim. */
@Command(name = "count", description = "Count the AVAILABLE pages: what shrink could reclaim.")
final class CountCommand extends OperatorCommand {

  @Option(
      names = "--range",
      paramLabel = "ID",
      defaultValue = "0",
      description = "Only in the range of that id (default: all ranges).")
  private long rangeId;

  @Override
  void run(ShrinkerClient shrinker, CommandIo io) {
    io.out().println(shrinker.count(rangeId));
  }
}
