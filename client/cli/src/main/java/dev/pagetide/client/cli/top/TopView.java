package dev.pagetide.client.cli.top;

import dev.pagetide.client.RangeStatus;
import java.util.List;

/**
 * A person's choices for the screen: the order of the rows, and the first row.
 *
 * @param sort the column by which the rows are sorted
 * @param reversed whether the order is the reverse of that column's usual order
 * @param firstRow how many rows are scrolled past
 * @param help whether the keys are explained instead
 */
record TopView(TopColumn sort, boolean reversed, int firstRow, boolean help) {

  TopView sortedBy(TopColumn column) {
    return new TopView(column, reversed, 0, help);
  }

  TopView turned() {
    return new TopView(sort, !reversed, 0, help);
  }

  TopView withHelp(boolean shown) {
    return new TopView(sort, reversed, firstRow, shown);
  }

  /**
   * The view after scrolling by some rows.
   *
   * @param rows may be more than there are, either way
   * @param count how many rows there are
   * @param shown how many of them the screen shows
   */
  TopView scrolled(int rows, int count, int shown) {
    int last = Math.max(0, count - shown);
    long first = Math.clamp((long) Math.min(firstRow, last) + rows, 0, last);
    return new TopView(sort, reversed, (int) first, help);
  }

  /** The rows in their order. */
  List<RangeStatus> ordered(List<RangeStatus> ranges) {
    return ranges.stream().sorted(sort.order(reversed)).toList();
  }
}
