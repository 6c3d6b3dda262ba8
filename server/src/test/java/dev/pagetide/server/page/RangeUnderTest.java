package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import java.util.BitSet;
import java.util.Optional;

/**
 * One range as the random-operation suite sees it, in this process or behind a wire. Called by one
 * thread, with pages and bytes inside the range.
 */
interface RangeUnderTest extends AutoCloseable {
  /** How many pages were granted. */
  int pageCount();

  /** Uses pages; the fresh ones, or empty if there was no memory for all of them. */
  Optional<BitSet> use(BitSet pages);

  /** Stops pages. */
  void stop(BitSet pages);

  /** Writes bytes; false if refused because a page is not USED. */
  boolean write(long offset, byte[] bytes);

  /** Writes zeros; false if refused because a page is not USED. */
  boolean zero(long offset, int length);

  /** Reads bytes; empty if refused because a page is not USED. */
  Optional<byte[]> read(long offset, int length);

  /** The state of every page. */
  PageState[] states();

  @Override
  void close();

  /** The server around the ranges. */
  interface Server extends AutoCloseable {
    /** Bytes in a page. */
    int pageSize();

    /**
     * Opens one more range; ties between stamps, if there can be any, go to the range opened
     * earlier.
     */
    RangeUnderTest open(int pages);

    /** Scans all ranges, and tells how many pages were reclaimed. */
    long scan(long pages);

    /** How many pages are AVAILABLE. */
    long count();

    /** Checks of its own, after every step; nothing where there is no way to look inside. */
    default void check() {}

    @Override
    void close();
  }
}
