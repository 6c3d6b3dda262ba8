package dev.pagetide.server.os;

import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * The shared file of one range. Its memory can be given and taken page by page.
 *
 * <p>The pages are those of the data, numbered from 0. Spans are half-open. Offsets are bytes from
 * the start of page 0. Arguments outside the file throw {@link IndexOutOfBoundsException} before
 * the method does anything.
 *
 * <p>Thread-safe except for {@link #close}: no method may run at the same time as it, or after it.
 * The owner ensures that. ({@link #header} and {@link #table} are safe even then: an access after
 * the close throws {@link IllegalStateException}.)
 */
public interface PageFile {
  /**
   * Bytes that one system call copies if they pass through a buffer. This is large enough to hide
   * the cost of the call (0.2 us in 5 us), and small enough to stay in the second-level cache.
   */
  int COPY_BYTES = 64 * 1024;

  /** The layout of the file. */
  SharedFileLayout layout();

  /** The file's first page, mapped. */
  MemorySegment header();

  /** The page table, mapped: 8 bytes for each page. */
  MemorySegment table();

  /**
   * Gives memory to pages. Pages that had none read as zeros afterwards. One system call.
   *
   * @throws SystemCallException if the kernel refused; then no page has gained memory
   */
  void allocate(int startPage, int endPage) throws SystemCallException;

  /**
   * Takes the memory of pages. Every mapping of them, in every process, reads zeros afterwards. One
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
   * Copies bytes of another file's data into this one's. A page of this file without memory gains
   * it. A page of the source without memory gives zeros.
   *
   * @param kept whether the source's pages stay charged until the copy has ended. Then reading a
   *     page whose memory its client took away may give it memory again
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
   * How many pages of memory the file holds, including header and table, and including pages that
   * the server did not give.
   *
   * @throws SystemCallException if the kernel refused
   */
  long residentPages() throws SystemCallException;

  /**
   * A second descriptor of the file. It may stay open after {@link #close}.
   *
   * @throws SystemCallException if the kernel refused: this process has as many as it may
   */
  FileDuplicate duplicate() throws SystemCallException;

  /**
   * Unmaps the file and closes the descriptor. Called once.
   *
   * @param punch whether to take the memory of table and pages before. Then it comes back even if
   *     other processes have the file open; the header stays, so that they can read it. If the
   *     kernel refuses the punch, this goes on, and the memory goes with the last descriptor.
   */
  void close(boolean punch);
}
