package dev.pagetide.client;

import dev.pagetide.shm.PageState;
import dev.pagetide.v1.GetRangeResponse;
import dev.pagetide.v1.StateRun;
import java.util.List;

/**
 * The states of a range's pages: each page's at some moment during the call, so that numbers and
 * runs agree with each other. A range of more than 65,536 runs is asked for in several calls.
 *
 * @param access what lies beneath the range that was asked
 * @param freePages pages that hold no memory
 * @param availablePages pages that hold memory nobody uses
 * @param usedPages pages in use
 * @param highWatermark one past the highest page that ever held memory
 * @param runs the pages in order, without gaps; neighbours differ in state
 */
public record RangeDescription(
    RangeAccess access,
    int freePages,
    int availablePages,
    int usedPages,
    int highWatermark,
    List<PageRun> runs) {

  /** Keeps a copy of {@code runs}. */
  public RangeDescription {
    runs = List.copyOf(runs);
  }

  static RangeDescription of(GetRangeResponse wire, RangeAccess access) {
    return new RangeDescription(
        access,
        WireNumbers.count("free_pages", wire.getFreePages()),
        WireNumbers.count("available_pages", wire.getAvailablePages()),
        WireNumbers.count("used_pages", wire.getUsedPages()),
        WireNumbers.count("high_watermark", wire.getHighWatermark()),
        wire.getRunsList().stream().map(RangeDescription::run).toList());
  }

  private static PageRun run(StateRun wire) {
    PageState state = WireEnums.pageState(wire.getState(), wire.getStateValue());
    return new PageRun(state, RangeCalls.interval(wire.getPages()));
  }

  /**
   * The state of one page.
   *
   * @throws IndexOutOfBoundsException if no run names {@code page}
   */
  public PageState stateOf(int page) {
    for (PageRun run : runs) {
      if (run.pages().startPage() <= page && page < run.pages().endPage()) {
        return run.state();
      }
    }
    throw new IndexOutOfBoundsException("page " + page + " is not described");
  }
}
