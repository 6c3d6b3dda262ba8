package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;

/** Where a range's file comes from: the kernel, or a test that makes it fail. Thread-safe. */
@FunctionalInterface
public interface PageFileMaker {
  /** Memfds of the system's page size. */
  PageFileMaker MEMFD = Memfd::create;

  /**
   * Makes a file whose header and table hold memory and whose pages hold none.
   *
   * @param name what the system shows for it
   * @throws SystemCallException if the kernel refused
   */
  PageFile make(String name, SharedFileLayout layout) throws SystemCallException;

  /** Bytes in a page of the files made. */
  default int pageSize() {
    return Memfd.systemPageSize();
  }
}
