package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;

/**
 * What the ranges and the scans of one server share.
 *
 * @param budget the whole server's budget: the root
 * @param clock stamps are read from it
 * @param observer hears of what happens to pages
 * @param counters what every range's pages did so far
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

  /** The refusal where it was the kernel that refused memory or a file; the observer is told. */
  PageFailure.NoMemory kernelRefused(long pages, SystemCallException kernel) {
    KernelRefusal refusal = new KernelRefusal(pages, kernel);
    PageFailure.NoMemory failure = new PageFailure.NoMemory(refusal);
    observer.refused(refusal);
    return failure;
  }
}
