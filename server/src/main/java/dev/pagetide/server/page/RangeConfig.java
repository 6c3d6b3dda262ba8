package dev.pagetide.server.page;

import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.OpeningCharge;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.Reservations;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;

/**
 * What all ranges of one server have in common.
 *
 * @param files where their files come from
 * @param maxRangeBytes the most bytes granted to one range
 * @param serverInstance this run of the server, for the files' headers
 * @param charge how one that is opened pays for its bookkeeping pages
 */
public record RangeConfig(
    PageFileMaker files, long maxRangeBytes, long serverInstance, OpeningCharge charge) {
  /** Terms of ranges that are refused where there is no memory. */
  public RangeConfig(PageFileMaker files, long maxRangeBytes, long serverInstance) {
    this(files, maxRangeBytes, serverInstance, OpeningCharge.NOW);
  }

  /** The terms of one opening that may have waited for memory. */
  public RangeConfig paidBy(OpeningCharge opening) {
    return new RangeConfig(files, maxRangeBytes, serverInstance, opening);
  }

  /**
   * The layout of a range for which some size was asked: rounded down to pages, and to the maximum.
   *
   * @param sizeBytes unsigned
   * @throws PageFailure.SizeInvalid if the size is less than one page
   */
  SharedFileLayout grant(long sizeBytes) {
    int pageSize = files.pageSize();
    long granted = Long.compareUnsigned(sizeBytes, maxRangeBytes) > 0 ? maxRangeBytes : sizeBytes;
    if (granted < pageSize) {
      throw new PageFailure.SizeInvalid(sizeBytes, pageSize);
    }
    return SharedFileLayout.of(pageSize, Math.toIntExact(granted / pageSize));
  }

  /**
   * Makes a range's file, and charges its bookkeeping pages.
   *
   * @throws PageFailure.NoMemory if a limit or the kernel refused; then nothing is charged
   * @throws PendingOpening.MustWait if the opening has to wait; then nothing is charged
   */
  PageFile makeFile(long id, SharedFileLayout layout, PageBudget budget, Shrinker shrinker) {
    int pages = layout.bookkeepingPages();
    Reservations reservations = shrinker.reservations();
    // No switch over patterns: the first run of one may fail to link, when pages are charged.
    Answer answer = charge.reserve(reservations, budget, pages);
    if (answer instanceof Answer.Refused refused) {
      throw new PageFailure.NoMemory(refused.why());
    }
    if (!(answer instanceof Answer.Granted)) {
      throw new PendingOpening.MustWait(pages);
    }
    boolean made = false;
    try {
      PageFile file = files.make("pagetide-range-" + id, layout);
      made = true;
      return file;
    } catch (SystemCallException e) {
      throw shrinker.context().kernelRefused(pages, e);
    } finally {
      if (made) {
        reservations.given(pages);
      } else {
        reservations.giveBack(budget, pages);
      }
    }
  }
}
