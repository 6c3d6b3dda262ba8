package dev.pagetide.client;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The pages of one use that may have lost their old bytes. Either they had no memory and read as
 * zeros now, or an earlier use of them ended with an unknown outcome.
 *
 * @param intervals ascending and disjoint; none is empty, and no two are adjacent
 */
public record FreshPages(List<PageInterval> intervals) {

  /** No page is fresh. */
  static final FreshPages NONE = new FreshPages(List.of());

  /** Keeps a copy of {@code intervals}. */
  public FreshPages {
    intervals = List.copyOf(intervals);
  }

  static FreshPages of(BitSet pages) {
    List<PageInterval> intervals = new ArrayList<>();
    int start = pages.nextSetBit(0);
    while (start >= 0) {
      int end = pages.nextClearBit(start);
      intervals.add(new PageInterval(start, end));
      start = pages.nextSetBit(end);
    }
    return new FreshPages(intervals);
  }

  /** The pages of some intervals. */
  static BitSet bits(List<PageInterval> pages) {
    BitSet bits = new BitSet();
    pages.forEach(interval -> bits.set(interval.startPage(), interval.endPage()));
    return bits;
  }

  /** Whether every page kept its bytes. */
  public boolean isEmpty() {
    return intervals.isEmpty();
  }

  /** How many pages are fresh. */
  public int pageCount() {
    return intervals.stream().mapToInt(PageInterval::pageCount).sum();
  }

  /** Whether {@code page} is fresh. */
  public boolean contains(int page) {
    int low = 0;
    int high = intervals.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      PageInterval interval = intervals.get(middle);
      if (page < interval.startPage()) {
        high = middle - 1;
      } else if (page >= interval.endPage()) {
        low = middle + 1;
      } else {
        return true;
      }
    }
    return false;
  }

  /** As the command line prints it: {@code 0..4 7..8}, or {@code none}. */
  @Override
  public String toString() {
    return intervals.isEmpty()
        ? "none"
        : intervals.stream().map(PageInterval::toString).collect(Collectors.joining(" "));
  }
}
