package dev.pagetide.client.cli;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.FreshPages;
import dev.pagetide.client.PageInterval;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideException;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code pagetide use}: makes pages USED and prints which of them are fresh. */
@Command(name = "use", description = "Use pages: none of them is reclaimed until it is stopped.")
final class UseCommand extends SessionCommand {

  @Parameters(
      arity = "1..*",
      paramLabel = "PAGES",
      converter = PagesConverter.class,
      description = "Pages to use, all or none: 7, 0..4.")
  private List<PageInterval> pages = List.of();

  @Option(
      names = "--no-wait",
      description =
          "If there is no memory, fail at once (default: wait in the queue for as long as the"
              + " server allows).")
  private boolean noWait;

  @Override
  ClientOptions options() {
    return ClientOptions.DEFAULT.withWaitsForMemory(!noWait);
  }

  @Override
  void run(PageRange range, CommandIo io) {
    FreshPages fresh;
    try (Progress _ = Progress.begin(io, "waiting for memory", 0)) {
      fresh = range.useRange(pages);
    } catch (PagetideException e) {
      if (e.outcomeUnknown() && unreached(e) == null) {
        throw new CommandFailure(sentence(e) + "; take all these pages as fresh", e);
      }
      throw e;
    }
    int named = pages.stream().mapToInt(PageInterval::pageCount).sum();
    io.out().println("used " + named + " pages; fresh (zeros now): " + fresh);
  }
}
