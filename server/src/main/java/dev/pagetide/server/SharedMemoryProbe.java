package dev.pagetide.server;

import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.HugePages;
import dev.pagetide.shm.SharedFileLayout;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * The check whether this kernel gives shared memory as Pagetide counts it: to a file of its own, by
 * single pages.
 */
final class SharedMemoryProbe {
  private static final int PAGES = 2;

  private SharedMemoryProbe() {}

  /**
   * Gives one page of a trial file memory, and takes it back.
   *
   * @throws StartupException if the kernel has no such files, or gives more memory than requested
   */
  static void check() throws StartupException {
    SharedFileLayout layout = SharedFileLayout.of(Memfd.systemPageSize(), PAGES);
    PageFile file;
    try {
      file = Memfd.create("pagetide-probe", layout);
    } catch (SystemCallException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "this host lends no sealed shared memory (%s); %s",
              e.getMessage(),
              e.limitRemedy().orElse("Pagetide needs Linux 5.14 or newer")),
          e);
    }
    try {
      long before = file.residentPages();
      file.allocate(0, 1);
      long with = file.residentPages();
      file.punch(0, 1);
      check(
          layout.bookkeepingPages(),
          before,
          with,
          file.residentPages(),
          SharedMemoryProbe::setting);
    } catch (SystemCallException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "this host does not lend shared memory by pages (%s); %s",
              e.getMessage(),
              e.limitRemedy().orElse("free memory, or use a newer kernel")),
          e);
    } finally {
      file.close(true);
    }
  }

  private static Path setting() {
    Path ofAll = HugePages.SETTINGS.resolve("shmem_enabled");
    return HugePages.forcedBy(HugePages.SETTINGS).orElse(ofAll);
  }

  /**
   * Judges the pages that the trial file held.
   *
   * @param bookkeeping the pages it needs without data
   * @param before the pages it held without data
   * @param with the pages it held with one page of data
   * @param after the pages it held after that page was taken
   * @param setting the setting to change if those are too many
   */
  static void check(int bookkeeping, long before, long with, long after, Supplier<Path> setting)
      throws StartupException {
    // A huge page covers header and table, too. Then the page of data adds nothing.
    if (before != bookkeeping || with != bookkeeping + 1 || after != bookkeeping) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "a file that needs %d pages of shared memory holds %d on this host, %d with one page"
                  + " more, and %d after that was taken; huge pages are forced on shared memory:"
                  + " write never or advise to %s",
              bookkeeping,
              before,
              with,
              after,
              setting.get()));
    }
  }
}
