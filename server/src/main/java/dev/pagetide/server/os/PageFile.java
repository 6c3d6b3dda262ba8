package dev.pagetide.server.os;

import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * The shared file of one range: memory by pages, which can be given and taken page by page.
 *
 * <p>Pages are those of the data, numbered from 0; spans are half-open. Offsets are bytes from the
 * start of page 0. Arguments outside the file throw {@link IndexOutOfBoundsException} before
 * anything happens.
 *
 * <p>Thread-safe but for {@link #close}: nothing may be called at the same time as it, or after;
 * the owner's entries see to that. ({@link #header} and {@link #table} are safe even then: an
 * access after the close throws {@link IllegalStateException}.)
 */
public interface PageFile {
  /**
   * Bytes that are copied by one system call, where they pass through a buffer: large enough to
   * hide the call (0.2 us in 5 us), small enough to stay in the second-level cache.
   */
  int COPY_BYTES = 64 * 1024;

  /** Where things lie in the file. */
  SharedFileLayout layout();

  /** The file's first page, mapped. */
  MemorySegment header();

  /** The page table, mapped: 8 bytes a page. */
  MemorySegment table();

  /**
   * Gives memory to pages; those that have none read as zeros afterwards. One system call.
   *
   * @throws SystemCallException if the kernel refused; then no page has gained memory
   */
  void allocate(int startPage, int endPage) throws SystemCallException;

  /**
   * Takes the memory of pages: every mapping of them, in every process, reads zeros afterwards. One
   * system call.
   *
   * @throws SystemCallException if the kernel refused
   */
  void punch(int startPage, int endPage) throws SystemCallException;

  /**
   * Copies bytes out of the data until {@code target} is full. A page without memory gives zeros
   * and gains none.
   *
   * @throws SystemCallException if the kernel refused
   */
  void read(long offset, ByteBuffer target) throws SystemCallException;

  /**
   * Copies all of {@code source} into the data. A page without memory gains it.
   *
   * @throws SystemCallException if the kernel refused; some bytes may have been written
   */
  void write(long offset, ByteBuffer source) throws SystemCallException;

  /**
   * Copies bytes of another file's data into this one's. A page without memory gains it here, and
   * gives zeros there.
   *
   * @param kept whether the pages there are charged until the copy has ended, and may gain memory
   *     again by being read if their client took it from them
   * @throws SystemCallException if the kernel refused; some bytes may have been written
   */
  default void copyFrom(PageFile source, long sourceOffset, long offset, long length, boolean kept)
      throws SystemCallException {
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(length, COPY_BYTES));
    long copied = 0;
    while (copied < length) {
      bytes.clear().limit((int) Math.min(length - copied, bytes.capacity()));
      source.read(sourceOffset + copied, bytes);
      bytes.flip();
      int count = bytes.remaining();
      write(offset + copied, bytes);
      copied += count;
    }
  }

  /**
   * Writes zeros into the data. A page without memory gains it.
   *
   * @throws SystemCallException if the kernel refused; some bytes may have been written
   */
  void writeZeros(long offset, long length) throws SystemCallException;

  /**
   * How many pages of memory the file holds, header and table included, whoever gave them.
   *
   * @throws SystemCallException if the kernel refused
   */
  long residentPages() throws SystemCallException;

  /**
   * A second descriptor of the file, for somebody who may keep it after {@link #close}.
   *
   * @throws SystemCallException if the kernel refused: this process has as many as it may
   */
  FileDuplicate duplicate() throws SystemCallException;

  /**
   * Unmaps the file and closes the descriptor. Called once.
   *
   * @param punch whether to take the memory of table and pages before, so that it is back whoever
   *     else holds the file; the header stays for them to read. A punch that the kernel refuses is
   *     passed over: the memory goes with the last descriptor.
   */
  void close(boolean punch);
}
