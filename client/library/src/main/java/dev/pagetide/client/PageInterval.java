package dev.pagetide.client;

/**
 * The pages {@code [startPage, endPage)} of a range, numbered from 0.
 *
 * <p>If {@code startPage >= endPage}, the interval names no page, and that is no error, whatever
 * the numbers are.
 *
 * @param startPage the first page; not negative
 * @param endPage one past the last page; not negative
 */
public record PageInterval(int startPage, int endPage) {

  /**
   * Checks that neither end is negative. The server checks whether the range has these pages.
   *
   * @throws IllegalArgumentException if an end is negative
   */
  public PageInterval {
    if (startPage < 0 || endPage < 0) {
      throw new IllegalArgumentException(
          "pages are numbered from 0; got [" + startPage + ", " + endPage + ")");
    }
  }

  /** How many pages these are: 0 if the start is not before the end. */
  public int pageCount() {
    return Math.max(0, endPage - startPage);
  }

  /** As the command line takes it: {@code 0..4}. */
  @Override
  public String toString() {
    return startPage + ".." + endPage;
  }
}
