package dev.pagetide.server.page;

import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.OpeningCharge;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.Reservations;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;

/**
 * The settings that all ranges of one server share.
 *
 * @param files makes their files
 * @param maxRangeBytes the most bytes granted to one range
 * @param serverInstance this run of the server, for the files' headers
 * @param charge how a range that is opened pays for its bookkeeping pages
 */
public record RangeConfig(
    PageFileMaker files, long maxRangeBytes, long serverInstance, OpeningCharge charge) {
  /** The settings of ranges whose openings are refused if there is no memory. */
  public RangeConfig(PageFileMaker files, long maxRangeBytes, long serverInstance) {
    this(files, maxRangeBytes, serverInstance, OpeningCharge.NOW);
  }

  /** The settings of one opening that may have waited for memory. */
  public RangeConfig paidBy(OpeningCharge opening) {
    return new RangeConfig(files, maxRangeBytes, serverInstance, opening);
  }

  /**
   * The layout of a range of some requested size: rounded down to pages, and to the maximum.
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
    // No switch over patterns, because its first run may fail to link, and pages are charged by
    // then.
    Answer answer = charge.reserve(reservations, budget, pages);
    if (answer instanceof Answer.Refused refused) {
      throw new PageFailure.NoMemory(refused.why());
    }
    if (!(answer instanceof Answer.Granted)) {
      throw new PendingOpening.MustWait(pages);
    }
    boolean made = false;
    try {
      PageFile file = makeFile("pagetide-range-" + id, layout, shrinker);
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

  private PageFile makeFile(String name, SharedFileLayout layout, Shrinker shrinker)
      throws SystemCallException {
    try {
      return files.make(name, layout);
    } catch (SystemCallException e) {
      if (e.limitRemedy().isEmpty() && shrinker.takesStrays()) {
        return files.make(name, layout);
      }
      throw e;
    }
  }
}
