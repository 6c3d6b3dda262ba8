package dev.pagetide.server.page;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;

/** Makes the ranges' files: with the kernel, or in a test that makes it fail. Thread-safe. */
@FunctionalInterface
public interface PageFileMaker {
  /** Memfds of the system's page size. */
  PageFileMaker MEMFD = Memfd::create;

  /**
   * Makes a file whose header and table have memory and whose pages have none.
   *
   * @param name the name under which the system shows it
   * @throws SystemCallException if the kernel refused
   */
  PageFile make(String name, SharedFileLayout layout) throws SystemCallException;

  /** Bytes in a page of the files made. */
  default int pageSize() {
    return Memfd.systemPageSize();
  }
}
