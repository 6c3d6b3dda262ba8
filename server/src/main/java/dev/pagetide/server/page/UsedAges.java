package dev.pagetide.server.page;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * When each page of one range was last known not to be USED. That gives how long it can have been
 * USED at most.
 *
 * <p>A USED word has no stamp, and clients set pages USED without telling the server, so only an
 * upper bound on the age is known. A page was last known not to be USED when the server made it
 * USED on the slow path, or when a check found it AVAILABLE. What the warm path does between two
 * checks is not noticed, and costs nothing.
 */
/*
 * Why the bound holds in every race: each time that is written was read from the clock before the
 * page was seen in another state than USED. Several threads may write the time of one page: one
 * that uses it under the range's lock, and any number that check it. The last one to write wins.
 * Each of their times is one at which the page was not USED. So if an older time overwrites a newer
 * one, the bound becomes wider, but never wrong.
 *
 * Memory: 8 bytes a page beside the 8 of its word. The memory comes in chunks, each with the first
 * of its pages that is given memory.
 *
 * ORDER: the accesses are opaque, so each time is read and written whole, but publishes nothing. A
 * chunk is published by its release.
 */
final class UsedAges {
  private static final int CHUNK_PAGES = 512;

  private final long bornNanos;

  /** Nanoseconds since one nanosecond before {@link #bornNanos}; 0 if nothing is known. */
  private final AtomicReferenceArray<@Nullable AtomicLongArray> chunks;

  /**
   * No page's age is known yet.
   *
   * @param bornNanos the clock's time now; all other times are no earlier
   */
  UsedAges(int pageCount, long bornNanos) {
    this.bornNanos = bornNanos;
    this.chunks = new AtomicReferenceArray<>((pageCount + CHUNK_PAGES - 1) / CHUNK_PAGES);
  }

  /** Notes that the page is about to become USED. Only for holders of the range's lock. */
  void becomesUsed(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getPlain(page / CHUNK_PAGES);
    if (chunk == null) {
      chunk = new AtomicLongArray(CHUNK_PAGES);
      chunks.setRelease(page / CHUNK_PAGES, chunk);
    }
    chunk.setOpaque(page % CHUNK_PAGES, nowNanos - bornNanos + 1);
  }

  /**
   * Notes that a check found the page AVAILABLE.
   *
   * @param nowNanos read before the check
   */
  void seenAvailable(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getAcquire(page / CHUNK_PAGES);
    if (chunk != null) {
      chunk.setOpaque(page % CHUNK_PAGES, nowNanos - bornNanos + 1);
    }
  }

  /** How long a USED page can have been so at most, in nanoseconds; 0 if nothing is known yet. */
  long atMostNanos(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getAcquire(page / CHUNK_PAGES);
    long notUsed = chunk == null ? 0 : chunk.getOpaque(page % CHUNK_PAGES);
    return notUsed == 0 ? 0 : Math.max(0, nowNanos - bornNanos + 1 - notUsed);
  }
}
