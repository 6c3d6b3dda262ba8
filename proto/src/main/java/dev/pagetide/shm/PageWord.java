package dev.pagetide.shm;

/**
 * The 64 bits in which the page table keeps one page: a state in the low two, a stamp in the rest.
 *
 * <pre>
 *  63                                         2 1     0
 * +--------------------------------------------+-------+
 * |  stamp, ns of CLOCK_MONOTONIC              | state |
 * +--------------------------------------------+-------+
 * </pre>
 *
 * <ul>
 *   <li>FREE (0): the stamp is the time when the page was reclaimed; 0 if it never held memory. So
 *       a table of zeros is a table of FREE pages.
 *   <li>AVAILABLE (1): the stamp is the time when the page became AVAILABLE, and so its place in
 *       the order of reclaim.
 *   <li>USED (2): the stamp is 0.
 *   <li>3 is never written. A word with this state is a contradiction.
 * </ul>
 *
 * <p>Two AVAILABLE words, compared as unsigned numbers, are in the order of their stamps. All
 * methods are pure.
 */
public final class PageWord {
  /** State code of a page without memory. */
  public static final int FREE = 0;

  /** State code of a page with memory that is not in use. */
  public static final int AVAILABLE = 1;

  /** State code of a page with memory that is in use. */
  public static final int USED = 2;

  /** The whole word of a USED page. */
  public static final long USED_WORD = USED;

  /** The largest stamp a word can hold: 2^62 - 1 ns, 146 years. */
  public static final long MAX_STAMP = (1L << 62) - 1;

  private static final int STATE_BITS = 2;
  private static final long STATE_MASK = (1L << STATE_BITS) - 1;

  private PageWord() {}

  /**
   * The word of a page that became AVAILABLE.
   *
   * @param stampNanos when it did, in CLOCK_MONOTONIC nanoseconds; the word keeps the low 62 bits
   */
  public static long available(long stampNanos) {
    return (stampNanos << STATE_BITS) | AVAILABLE;
  }

  /**
   * The word of a page that was reclaimed.
   *
   * @param stampNanos when it was, in CLOCK_MONOTONIC nanoseconds; the word keeps the low 62 bits
   */
  public static long free(long stampNanos) {
    return (stampNanos << STATE_BITS) | FREE;
  }

  /** The state code of a word: {@link #FREE}, {@link #AVAILABLE}, {@link #USED}, or 3. */
  public static int state(long word) {
    return (int) (word & STATE_MASK);
  }

  /** The stamp of a word, in nanoseconds: 0 to {@link #MAX_STAMP}. */
  public static long stampNanos(long word) {
    return word >>> STATE_BITS;
  }
}
