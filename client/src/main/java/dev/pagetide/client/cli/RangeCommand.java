package dev.pagetide.client.cli;

import dev.pagetide.client.PageRange;
import dev.pagetide.client.RangeDescription;
import picocli.CommandLine.Command;

/** {@code pagetide range}: draws the range, one character a page. */
@Command(name = "range", description = "Show the state of every page, one character a page.")
final class RangeCommand extends SessionCommand {

  @Override
  void run(PageRange range, CommandIo io) {
    RangeDescription now = range.describe();
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
