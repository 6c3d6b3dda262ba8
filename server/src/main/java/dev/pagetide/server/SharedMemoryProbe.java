package dev.pagetide.server;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;

/**
 * The question whether this kernel lends shared memory as Pagetide counts it: a file of its own, by
 * single pages.
 */
final class SharedMemoryProbe {
  private static final int PAGES = 2;

  private SharedMemoryProbe() {}

  /**
   * Gives one page of a trial file memory, and takes it back.
   *
   * @throws StartupException if the kernel has no such files, or gives more than was asked for
   */
  static void check() throws StartupException {
    SharedFileLayout layout = SharedFileLayout.of(Memfd.systemPageSize(), PAGES);
    PageFile file;
    try {
      file = Memfd.create("pagetide-probe", layout);
    } catch (SystemCallException e) {
      throw new StartupException(
          "this host lends no sealed shared memory (%s); Pagetide needs Linux 5.14 or newer"
              .formatted(e.getMessage()),
          e);
    }
    try {
      long before = file.residentPages();
      file.allocate(0, 1);
      long gained = file.residentPages() - before;
      file.punch(0, 1);
      long left = file.residentPages() - before;
      // A huge page covers header and table, too: then nothing is gained, and much was there
      // before.
      if (before != layout.bookkeepingPages() || gained != 1 || left != 0) {
        throw new StartupException(
            ("one page of shared memory costs %d pages on this host, and %d stay after it was"
                    + " taken; huge pages are forced on shared memory: write never or advise to"
                    + " /sys/kernel/mm/transparent_hugepage/shmem_enabled")
                .formatted(Math.max(gained, before), left));
      }
    } catch (SystemCallException e) {
      throw new StartupException(
          "this host does not lend shared memory by pages (%s); free memory, or use a newer kernel"
              .formatted(e.getMessage()),
          e);
    } finally {
      file.close(true);
    }
  }
}
