package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import java.util.Arrays;

/**
 * How many pages of a range are in each state, and the states of some of its pages as runs of
 * neighbours in one state. Each page's state is its state at some moment during one walk, so the
 * numbers and the runs agree.
 *
 * <p>The walk takes no lock and waits for no thread. Its time grows with the range: some
 * milliseconds for a million resident pages. 64 pages without memory cost one read of their bits.
 * Its heap grows with the runs, whose number is bounded, and not with the range.
 */
public final class StateRuns {
  private static final int FIRST_CAPACITY = 64;

  private final int startPage;
  private final int endPage;
  private final int most;

  private int[] ends = new int[FIRST_CAPACITY];
  private PageState[] states = new PageState[FIRST_CAPACITY];
  private int size;

  /** The counts of the whole range. */
  private PageCounts counts = PageCounts.NONE;

  /** Whether there are more runs than may be returned. */
  private boolean full;

  private StateRuns(int startPage, int endPage, int most) {
    this.startPage = startPage;
    this.endPage = endPage;
    this.most = most;
  }

  /**
   * Walks through a whole range once.
   *
   * @param pages the pages whose runs to return: at most one span
   * @param most the most runs to return, at least 1; the runs that follow are left out
   * @throws PageFailure.Closed if the range is closing
   */
  public static StateRuns of(ShrinkablePageRange range, PageSpans pages, int most) {
    StateRuns runs =
        pages.isEmpty()
            ? new StateRuns(0, 0, most)
            : new StateRuns(pages.startPage(0), pages.endPage(0), most);
    range.entries().enter();
    try {
      runs.walk(range.map().walk());
    } finally {
      range.entries().leave();
    }
    return runs;
  }

  private void walk(PageMap.Walk walk) {
    while (walk.next()) {
      int start = walk.startPage();
      int from = Math.max(start, startPage);
      int to = Math.min(walk.endPage(), endPage);
      if (from < to) {
        add(start, from, to, walk.available(), walk.used());
      }
    }
    counts = walk.counts();
  }

  /** Adds pages {@code [from, to)} of the 64 from {@code base} on, whose states the bits give. */
  private void add(int base, int from, int to, long inReserve, long inUse) {
    int page = from;
    while (page < to) {
      int at = page - base;
      PageState state =
          ((inReserve >>> at) & 1) != 0
              ? PageState.AVAILABLE
              : ((inUse >>> at) & 1) != 0 ? PageState.USED : PageState.FREE;
      long same =
          switch (state) {
            case FREE -> ~(inReserve | inUse);
            case AVAILABLE -> inReserve;
            case USED -> inUse;
          };
      int end = Math.min(to, page + Long.numberOfTrailingZeros(~(same >>> at)));
      extend(state, end);
      page = end;
    }
  }

  private void extend(PageState state, int end) {
    if (full) {
      return;
    }
    if (size > 0 && states[size - 1] == state) {
      ends[size - 1] = end;
      return;
    }
    if (size == most) {
      full = true;
      return;
    }
    if (size == ends.length) {
      int capacity = (int) Math.min(most, 2L * size);
      ends = Arrays.copyOf(ends, capacity);
      states = Arrays.copyOf(states, capacity);
    }
    ends[size] = end;
    states[size] = state;
    size++;
  }

  /** How many pages of the whole range are in a state. */
  public int count(PageState state) {
    return Math.toIntExact(
        switch (state) {
          case FREE -> counts.free();
          case AVAILABLE -> counts.available();
          case USED -> counts.used();
        });
  }

  /** How many runs there are, in the order of their pages and without gaps. */
  public int size() {
    return size;
  }

  /** The first page of a run. */
  public int startPage(int run) {
    return run == 0 ? startPage : ends[run - 1];
  }

  /** One past the last page of a run. */
  public int endPage(int run) {
    return ends[run];
  }

  /** The state of all pages of a run. The next run has a different state. */
  public PageState state(int run) {
    return states[run];
  }
}
