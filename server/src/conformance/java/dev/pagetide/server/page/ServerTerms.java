package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;

/**
 * What a test wants of its server.
 *
 * @param budgetPages the budget of the server, and of each range: bookkeeping pages included
 * @param maxRangeBytes the most bytes granted to one range
 * @param files where the ranges' files come from
 */
public record ServerTerms(long budgetPages, long maxRangeBytes, PageFileMaker files) {
  /** The server's own: it may be more than the budget. */
  public static final long DEFAULT_RANGE_BYTES = 4L << 20;

  /** The server's own defaults, with more memory than any test asks for. */
  static final ServerTerms PLENTY =
      new ServerTerms(1L << 16, DEFAULT_RANGE_BYTES, PageFileMaker.MEMFD);

  /** The same terms with another budget. */
  public static ServerTerms ofBudget(long pages) {
    return new ServerTerms(pages, PLENTY.maxRangeBytes, PLENTY.files);
  }

  ServerTerms withRangesOf(int pages) {
    return new ServerTerms(budgetPages, (long) pages * Memfd.systemPageSize(), files);
  }

  ServerTerms withFiles(PageFileMaker maker) {
    return new ServerTerms(budgetPages, maxRangeBytes, maker);
  }
}
