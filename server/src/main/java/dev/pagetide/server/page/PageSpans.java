package dev.pagetide.server.page;

import java.util.Arrays;
import java.util.StringJoiner;

/**
 * A set of pages as half-open spans: ascending, disjoint, never touching, none empty. Immutable.
 */
public final class PageSpans {
  /** No page. */
  public static final PageSpans NONE = new PageSpans(new int[0]);

  /** The spans: start, end, start, end, ... */
  private final int[] bounds;

  private PageSpans(int[] bounds) {
    this.bounds = bounds;
  }

  /** Pages {@code [startPage, endPage)}; none if {@code startPage >= endPage}. */
  static PageSpans of(int startPage, int endPage) {
    return startPage >= endPage ? NONE : new PageSpans(new int[] {startPage, endPage});
  }

  /** The number of spans. */
  public int size() {
    return bounds.length / 2;
  }

  /** Whether it names no page. */
  public boolean isEmpty() {
    return bounds.length == 0;
  }

  /** The first page of a span. */
  public int startPage(int span) {
    return bounds[2 * span];
  }

  /** One past the last page of a span. */
  public int endPage(int span) {
    return bounds[2 * span + 1];
  }

  /** The number of pages. */
  public int pageCount() {
    int pages = 0;
    for (int span = 0; span < size(); span++) {
      pages += endPage(span) - startPage(span);
    }
    return pages;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof PageSpans that && Arrays.equals(bounds, that.bounds);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bounds);
  }

  @Override
  public String toString() {
    StringJoiner text = new StringJoiner(", ", "{", "}");
    for (int span = 0; span < size(); span++) {
      text.add("[" + startPage(span) + ", " + endPage(span) + ")");
    }
    return text.toString();
  }

  /** Collects spans, which may come in any order and may overlap. Confined to one thread. */
  public static final class Builder {
    private final int pageCount;
    private int[] bounds = new int[2];
    private int used;
    private boolean ascending = true;

    /** For pages of a range of {@code pageCount} pages. */
    Builder(int pageCount) {
      this.pageCount = pageCount;
    }

    /**
     * Adds pages {@code [startPage, endPage)}. Adds nothing if {@code startPage >= endPage}, even
     * outside the range.
     *
     * @throws PageFailure.PastEnd if the span names a page that the range does not have
     */
    public Builder add(long startPage, long endPage) {
      if (startPage >= endPage) {
        return this;
      }
      if (startPage < 0 || endPage > pageCount) {
        throw PageFailure.PastEnd.ofPages(startPage, endPage, pageCount);
      }
      if (used == bounds.length) {
        bounds = Arrays.copyOf(bounds, used * 2);
      }
      ascending &= used == 0 || startPage > bounds[used - 1];
      bounds[used++] = (int) startPage;
      bounds[used++] = (int) endPage;
      return this;
    }

    /** The set of all pages added. */
    public PageSpans build() {
      if (used == 0) {
        return NONE;
      }
      return new PageSpans(ascending ? Arrays.copyOf(bounds, used) : merged());
    }

    private int[] merged() {
      long[] sorted = new long[used / 2];
      for (int i = 0; i < sorted.length; i++) {
        sorted[i] = (long) bounds[2 * i] << Integer.SIZE | bounds[2 * i + 1];
      }
      Arrays.sort(sorted);
      int[] merged = new int[used];
      int length = 0;
      for (long span : sorted) {
        int start = (int) (span >>> Integer.SIZE);
        int end = (int) span;
        if (length > 0 && start <= merged[length - 1]) {
          merged[length - 1] = Math.max(merged[length - 1], end);
        } else {
          merged[length++] = start;
          merged[length++] = end;
        }
      }
      return Arrays.copyOf(merged, length);
    }
  }
}
