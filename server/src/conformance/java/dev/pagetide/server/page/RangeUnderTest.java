package dev.pagetide.server.page;

import dev.pagetide.shm.PageState;
import java.util.BitSet;

/**
 * One range as tests see it that hold for every kind of range: in this process, behind a wire, or
 * mapped by its client. What it refuses it refuses with {@link Refused}. Any number of threads may
 * call any method at once.
 */
public interface RangeUnderTest extends AutoCloseable {
  /** How many pages were granted. */
  int pageCount();

  /**
   * Uses pages, in one call.
   *
   * @param spans a start and an end for each span
   * @return the fresh pages
   */
  BitSet use(int... spans);

  /** Whether the next use asks the server for nothing but what is absent. */
  default boolean nextUsesByMapping() {
    return false;
  }

  /**
   * Stops pages, in one call.
   *
   * @param spans a start and an end for each span
   */
  void stop(int... spans);

  /** Writes bytes. */
  void write(long offset, byte[] bytes);

  /** Writes zeros. */
  void fillZero(long offset, long length);

  /** Reads bytes. */
  byte[] read(long offset, int length);

  /** The state of every page. */
  PageState[] states();

  /** Ends the session as the death of its client does, and returns once the server is rid of it. */
  void vanish();

  /** Ends the session, and returns once the server is rid of it. */
  @Override
  void close();

  /** The server around the ranges. */
  interface Server extends AutoCloseable {
    /**
     * Opens one more range; ties between stamps, if there can be any, go to the range opened
     * earlier.
     */
    RangeUnderTest open(long sizeBytes);

    /** Scans all ranges. */
    ScanResult scan(long pages);

    /** How many pages are AVAILABLE. */
    long count();

    /** Checks of its own, after every step; nothing where there is no way to look inside. */
    default void check() {}

    @Override
    void close();
  }
}
