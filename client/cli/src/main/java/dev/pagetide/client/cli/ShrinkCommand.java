package dev.pagetide.client.cli;

import dev.pagetide.client.ScanResult;
import dev.pagetide.client.ShrinkerClient;
import dev.pagetide.client.SkipReason;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code pagetide shrink}: runs one scan of the shrinker. */
@Command(
    name = "shrink",
    description = "Reclaim AVAILABLE pages, those first that were stopped first.")
final class ShrinkCommand extends OperatorCommand {

  @Parameters(
      paramLabel = "COUNT",
      converter = PageCountConverter.class,
      description = "Reclaim at most that many pages.")
  private long pages;

  @Option(
      names = "--range",
      paramLabel = "ID",
      converter = RangeIdConverter.class,
      defaultValue = "0",
      description = "Only from the range of that id (default: all ranges).")
  private long rangeId;

  @Option(
      names = "--dry-run",
      description = "Say what would be reclaimed, and reclaim nothing (default: reclaim).")
  private boolean dryRun;

  @Override
  void run(ShrinkerClient shrinker, CommandIo io) {
    ScanResult result;
    try (Progress _ = Progress.begin(io, "reclaiming", 0)) {
      result = shrinker.scan(pages, rangeId, dryRun);
    }
    io.out()
        .println(
            (dryRun ? "would reclaim " : "reclaimed ")
                + result.reclaimedPages()
                + " pages of "
                + result.scannedPages()
                + " scanned"
                + skipped(result.skippedPages()));
  }

  private static String skipped(Map<SkipReason, Long> pages) {
    return pages.isEmpty()
        ? ""
        : pages.entrySet().stream()
            .sorted(Map.Entry.comparingByKey())
            .map(e -> name(e.getKey()) + " " + e.getValue())
            .collect(Collectors.joining(", ", "; skipped: ", ""));
  }

  private static String name(SkipReason reason) {
    return reason.name().replace('_', ' ').toLowerCase(Locale.ROOT);
  }
}
