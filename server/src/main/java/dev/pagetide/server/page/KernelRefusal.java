package dev.pagetide.server.page;

import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.os.SystemCallException;
import java.util.Locale;

/**
 * The kernel itself refused memory, or refused a range's file.
 *
 * @param pages how many pages were asked for
 * @param kernel the failed system call
 */
record KernelRefusal(long pages, SystemCallException kernel) implements MemoryRefusal {
  @Override
  public String limit() {
    return KERNEL;
  }

  @Override
  public boolean hopeless() {
    return kernel.isForGood();
  }

  /** If the limit is on files, the message says nothing of memory, because there may be plenty. */
  @Override
  public String message() {
    return kernel
        .limitRemedy()
        .map(remedy ->
            String.format(
                Locale.ROOT,
                "the kernel refused the range's file (%s); %s",
                kernel.getMessage(),
                remedy))
        .orElseGet(() ->
            String.format(
                Locale.ROOT,
                "no memory for %s: the kernel refused (%s); free memory on the host, or lower"
                    + " --max-resident-bytes",
                pages == 1 ? "1 page" : pages + " pages",
                kernel.getMessage()));
  }
}
