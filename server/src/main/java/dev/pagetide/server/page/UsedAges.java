package dev.pagetide.server.page;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * When each page of one range was last known not to be USED, and so how long it can have been USED
 * at the most.
 *
 * <p>A USED word has no stamp, and a client makes pages USED without a word to the server: so what
 * is exact is an upper bound. A page was last known not to be USED when the server made it USED on
 * the slow path, or when a look found it AVAILABLE. What the warm path does between two looks is
 * not noticed, and costs nothing.
 */
/*
 * Why the bound holds in every race: each time that is written was read from the clock before the
 * page was seen in another state than USED. Several threads may write the time of one page: one
 * that uses it under the range's lock, and any number that look at it. The last to write wins. Each
 * of their times is one at which the page was not USED, so an older one that overwrites a newer one
 * makes the bound wider, but never wrong.
 *
 * Memory: 8 bytes a page beside the 8 of its word, in chunks that come with the first page that is
 * given memory there.
 *
 * ORDER: opaque, each time whole; nothing is published by it. A chunk is published by its release.
 */
final class UsedAges {
  private static final int CHUNK_PAGES = 512;

  private final long bornNanos;

  /** Nanoseconds from one before {@link #bornNanos}: 0 where nothing is known. */
  private final AtomicReferenceArray<@Nullable AtomicLongArray> chunks;

  /**
   * Nothing is known of any page.
   *
   * @param bornNanos the clock's now: all other times are no earlier
   */
  UsedAges(int pageCount, long bornNanos) {
    this.bornNanos = bornNanos;
    this.chunks = new AtomicReferenceArray<>((pageCount + CHUNK_PAGES - 1) / CHUNK_PAGES);
  }

  /** The page is about to become USED. For holders of the range's lock. */
  void becomesUsed(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getPlain(page / CHUNK_PAGES);
    if (chunk == null) {
      chunk = new AtomicLongArray(CHUNK_PAGES);
      chunks.setRelease(page / CHUNK_PAGES, chunk);
    }
    chunk.setOpaque(page % CHUNK_PAGES, nowNanos - bornNanos + 1);
  }

  /**
   * A look found the page AVAILABLE.
   *
   * @param nowNanos read before the look
   */
  void seenAvailable(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getAcquire(page / CHUNK_PAGES);
    if (chunk != null) {
      chunk.setOpaque(page % CHUNK_PAGES, nowNanos - bornNanos + 1);
    }
  }

  /** How long a USED page can have been so, in nanoseconds; 0 where nothing is known yet. */
  long atMostNanos(int page, long nowNanos) {
    AtomicLongArray chunk = chunks.getAcquire(page / CHUNK_PAGES);
    long notUsed = chunk == null ? 0 : chunk.getOpaque(page % CHUNK_PAGES);
    return notUsed == 0 ? 0 : Math.max(0, nowNanos - bornNanos + 1 - notUsed);
  }
}
