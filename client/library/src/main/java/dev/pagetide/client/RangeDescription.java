package dev.pagetide.client;

import dev.pagetide.shm.PageState;
import dev.pagetide.v1.GetRangeResponse;
import dev.pagetide.v1.StateRun;
import java.util.List;

/**
 * The states of a range's pages. Each page's state is its state at some moment during the call, and
 * the numbers agree with the runs. The library makes several calls if a range has more than 65,536
 * runs.
 *
 * @param access how the described range reaches its pages
 * @param freePages pages that hold no memory
 * @param availablePages pages that hold memory but are not in use
 * @param usedPages pages in use
 * @param highWatermark one past the highest page that ever held memory
 * @param runs all pages in order, without gaps; adjacent runs differ in state
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
