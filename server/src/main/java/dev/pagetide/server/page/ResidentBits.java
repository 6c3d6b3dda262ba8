package dev.pagetide.server.page;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * One bit for each page, in the server's own memory: whether the server gave the page memory.
 *
 * <p>Any thread may read the bits. They are written under the range's lock only (see {@link
 * ResidentPages}).
 */
final class ResidentBits {
  private static final VarHandle ELEMENT = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] bits;

  ResidentBits(int pageCount) {
    this.bits = new long[(pageCount + Long.SIZE - 1) / Long.SIZE];
  }

  /**
   * ORDER: acquire. It pairs with the release in {@link #set}: a thread that sees the bit sees the
   * memory.
   */
  boolean getAcquire(int page) {
    return (aroundAcquire(page) & (1L << page)) != 0;
  }

  /**
   * The bits of the 64 pages around {@code page}. Bit {@code n % 64} belongs to page n.
   *
   * <p>ORDER: acquire, as {@link #getAcquire}.
   */
  long aroundAcquire(int page) {
    return (long) ELEMENT.getAcquire(bits, page >>> 6);
  }

  /** Whether all pages of a span have their bit. ORDER: acquire, as {@link #getAcquire}. */
  boolean allSetAcquire(int startPage, int endPage) {
    for (int page = startPage; page < endPage; page = (page | 63) + 1) {
      long wanted = mask(page, endPage);
      if ((aroundAcquire(page) & wanted) != wanted) {
        return false;
      }
    }
    return true;
  }

  /** The first page of a span whose bit is clear; {@code endPage} if there is none. */
  int nextClearAcquire(int startPage, int endPage) {
    return next(startPage, endPage, -1L);
  }

  /** The first page of a span whose bit is set; {@code endPage} if there is none. */
  int nextSetAcquire(int startPage, int endPage) {
    return next(startPage, endPage, 0);
  }

  /** The first page of a span whose bit differs from those of {@code passedOver}. */
  private int next(int startPage, int endPage, long passedOver) {
    for (int page = startPage; page < endPage; page = (page | 63) + 1) {
      long found = (aroundAcquire(page) ^ passedOver) >>> page;
      if (found != 0) {
        return Math.min(endPage, page + Long.numberOfTrailingZeros(found));
      }
    }
    return endPage;
  }

  /** Sets the bits of pages. The caller holds the range's lock. ORDER: release. */
  void set(int startPage, int endPage) {
    for (int page = startPage; page < endPage; page = (page | 63) + 1) {
      int index = page >>> 6;
      ELEMENT.setRelease(bits, index, bits[index] | mask(page, endPage));
    }
  }

  /** Clears the bits of pages. The caller holds the range's lock. ORDER: release. */
  void clear(int startPage, int endPage) {
    for (int page = startPage; page < endPage; page = (page | 63) + 1) {
      int index = page >>> 6;
      ELEMENT.setRelease(bits, index, bits[index] & ~mask(page, endPage));
    }
  }

  /**
   * The mask of those pages of {@code [page, endPage)} that are in the same element as {@code
   * page}.
   */
  private static long mask(int page, int endPage) {
    long mask = -1L << page;
    int above = (page | 63) + 1 - endPage;
    return above > 0 ? mask & (-1L >>> above) : mask;
  }
}
