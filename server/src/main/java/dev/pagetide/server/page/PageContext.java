package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;

/**
 * What the ranges and the scans of one server share.
 *
 * @param budget the whole server's budget: the root
 * @param clock stamps are read from it
 * @param observer is notified of what happens to pages
 * @param counters what the pages of all ranges did so far
 * @param hugePages whether strays are clients' doing or the kernel's
 * @param pageSize bytes in a page
 */
record PageContext(
    PageBudget budget,
    PageClock clock,
    PageObserver observer,
    PageCounters counters,
    HugePages hugePages,
    int pageSize) {

  /** The refusal to throw if the kernel refused memory or a file. Notifies the observer. */
  PageFailure.NoMemory kernelRefused(long pages, SystemCallException kernel) {
    KernelRefusal refusal = new KernelRefusal(pages, kernel);
    PageFailure.NoMemory failure = new PageFailure.NoMemory(refusal);
    observer.refused(refusal);
    return failure;
  }
}
