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
