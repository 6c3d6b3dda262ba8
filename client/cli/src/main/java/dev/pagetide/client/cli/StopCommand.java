package dev.pagetide.client.cli;

import dev.pagetide.client.PageInterval;
import dev.pagetide.client.PageRange;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code pagetide stop}: makes USED pages AVAILABLE. */
@Command(
    name = "stop",
    description = "Stop using pages: they keep their bytes until the shrinker takes them.")
final class StopCommand extends SessionCommand {

  @Parameters(
      arity = "1..*",
      paramLabel = "PAGES",
      converter = PagesConverter.class,
      description = "Pages to stop using: 7, 0..4.")
  private List<PageInterval> pages = List.of();

  @Override
  void run(PageRange range, CommandIo io) {
    range.stopUsingRange(pages);
    int named = pages.stream().mapToInt(PageInterval::pageCount).sum();
    io.out().println("stopped " + named + " pages");
  }
}
