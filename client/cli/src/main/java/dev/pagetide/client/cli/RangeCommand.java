package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import dev.pagetide.client.RangeDescription;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code pagetide range}: draws the range, one character a page. */
@Command(
    name = "range",
    description = "Show the state of every page, one character a page.",
    footer = {
      "",
      "With --json it is one line, an object with these fields:",
      "  range_id, page_size, page_count, free_pages, available_pages, used_pages",
      "  high_watermark  one past the highest page that ever held memory; 0: none did",
      "  runs            neighbours in one state, in order: state (free, available, used),",
      "                  start_page, end_page (left out)",
      ""
    })
final class RangeCommand extends SessionCommand {

  @Option(
      names = "--json",
      description = "Print a line of JSON, for scripts (default: draw the pages).")
  private boolean json;

  @Override
  void run(PageRange range, CommandIo io) {
    RangeDescription now = range.describe();
    if (json) {
      io.out().println(RangeJson.line(RangeJson.pages(range, now)));
      return;
    }
    io.out()
        .println(
            "range "
                + Long.toUnsignedString(range.rangeId())
                + ": "
                + range.pageCount()
                + " pages of "
                + range.pageSize()
                + " bytes: "
                + now.freePages()
                + " free, "
                + now.availablePages()
                + " available, "
                + now.usedPages()
                + " used; highest ever: "
                + (now.highWatermark() == 0 ? "none" : "page " + (now.highWatermark() - 1)));
    PageMap.lines(PageMap.draw(now)).forEach(io.out()::println);
    io.out().println(PageMap.LEGEND);
  }
}
