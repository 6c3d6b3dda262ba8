package dev.pagetide.shm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * The page words of one range, one for each page in the order of the pages. The memory may be
 * shared with another process.
 *
 * <p>Any number of threads and processes may call any method at once. Any process that has mapped
 * the file may have written a word, and may change it at any time. So read a word once, then
 * decide.
 *
 * <p>Every method throws {@link IllegalStateException} once the mapping of the table was closed,
 * and {@link IndexOutOfBoundsException} for a page outside the table.
 */
public final class PageTable {

  private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

  private final MemorySegment words;
  private final int pageCount;

  /**
   * A table over {@code words}.
   *
   * @param words 8 bytes for each page, aligned to 8 bytes
   * @throws IllegalArgumentException if the segment is not a whole number of words
   */
  public PageTable(MemorySegment words) {
    if (words.byteSize() % Long.BYTES != 0) {
      throw new IllegalArgumentException(
          "a page table is a whole number of 8-byte words; got " + words.byteSize() + " bytes");
    }
    this.words = words;
    this.pageCount = Math.toIntExact(words.byteSize() / Long.BYTES);
  }

  /** How many pages the table has. */
  public int pageCount() {
    return pageCount;
  }

  /**
   * A page's word.
   *
   * <p>ORDER: acquire. Pairs with the release in {@link #casWord}: a thread that reads AVAILABLE or
   * USED sees the memory that the page got before its word said so.
   */
  public long wordAcquire(int page) {
    return (long) WORD.getAcquire(words, offset(page));
  }

  /**
   * Replaces a page's word if it is exactly {@code expected}, state and stamp.
   *
   * <p>ORDER: sequentially consistent, so it both acquires what the last writer released and
   * releases what this thread did before; see the argument in {@code proto/SHARED_FILE.md}.
   *
   * @return whether the word was {@code expected} and is {@code replacement} now
   */
  public boolean casWord(int page, long expected, long replacement) {
    return WORD.compareAndSet(words, offset(page), expected, replacement);
  }

  /**
   * As {@link #casWord}, in the same memory order, for callers that need the word that was there.
   *
   * @return the word that was there: {@code expected} if this call replaced it
   */
  public long exchangeWord(int page, long expected, long replacement) {
    return (long) WORD.compareAndExchange(words, offset(page), expected, replacement);
  }

  /**
   * Whether every page of a span is AVAILABLE or USED, each at some moment during the call.
   *
   * <p>ORDER: acquire, for all words at once. The reads themselves are opaque, so they need not
   * wait for each other. A fence stands between them and whatever the caller does next. Pairs as
   * {@link #wordAcquire} does.
   */
  public boolean allHeldAcquire(int startPage, int endPage) {
    MemorySegment held = words;
    boolean all = true;
    for (int page = startPage; all && page < endPage; page++) {
      int state = PageWord.state((long) WORD.getOpaque(held, offset(page)));
      all = state == PageWord.AVAILABLE || state == PageWord.USED;
    }
    VarHandle.acquireFence();
    return all;
  }

  /**
   * Which pages of a span of at most 64 are in a given state, each at some moment during the call:
   * bit n stands for page {@code startPage + n}.
   *
   * <p>ORDER: opaque. This is for callers that count states and do not touch the pages.
   */
  public long inStateOpaque(int state, int startPage, int endPage) {
    MemorySegment looked = words;
    long found = 0;
    for (int page = startPage; page < endPage; page++) {
      long bit = PageWord.state((long) WORD.getOpaque(looked, offset(page))) == state ? 1 : 0;
      found |= bit << (page - startPage);
    }
    return found;
  }

  private static long offset(int page) {
    return (long) page * Long.BYTES;
  }
}
