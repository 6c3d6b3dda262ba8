package dev.pagetide.server.web;

import dev.pagetide.server.page.PageSnapshot;
import dev.pagetide.shm.PageWord;
import java.util.Arrays;

/**
 * Encodes the pages of one range as runs of adjacent pages that look alike. That takes some bytes
 * where a grid would take thousands. The encoder is reused for the next range. For one thread.
 *
 * <p>A run is one or two numbers, each in groups of 7 bits, the lowest first, with the top bit set
 * on all but the last: {@code length << 3 | kind}, and for AVAILABLE and RECLAIMED the tick of its
 * stamp. The pages that do not fit into {@link #MAX_BYTES} are one run of kind {@link #UNTOLD};
 * only the counts include them. A tick is 2^28 ns, 0.27 s. That is fine enough for the eye, and
 * coarse enough that pages stopped one by one make one run. A run says <em>when</em> its pages
 * changed, not how long ago. So the encoding of a range at rest stays the same however old its
 * pages become.
 */
final class RunLengthEncoder {
  /** Nanoseconds of a tick, as a power of two. */
  static final int TICK_SHIFT = 28;

  /** A page without memory. */
  static final int FREE = 0;

  /** A page with memory that is not in use; with the tick since which it is so. */
  static final int AVAILABLE = 1;

  /** A page with memory that is in use. */
  static final int USED = 2;

  /** A page with memory whose word has a value that no client may write. */
  static final int CONTRADICTION = 3;

  /** A FREE page that was reclaimed not long ago; with the tick of that. */
  static final int RECLAIMED = 4;

  /** Pages that are only counted, because there are too many runs before them. */
  static final int UNTOLD = 5;

  /** A contradiction that counts as FREE: a run of its own, and told as {@link #CONTRADICTION}. */
  private static final int FREE_CONTRADICTION = 6;

  /** The most bytes for one range: room for some 40,000 runs. */
  static final int MAX_BYTES = 1 << 17;

  /** How long a reclaimed page is shown as RECLAIMED. */
  private static final int RECLAIMED_TICKS = 8;

  private static final int KIND_BITS = 3;
  private static final int MAX_RUN_BYTES = 16;

  /** Stands for the tick if no page is USED. */
  static final long NOT_USED = -1;

  private byte[] bytes = new byte[1024];
  private int length;
  private int untold;
  private int free;
  private int available;
  private int contradictions;
  private long usedSinceTick;

  /**
   * Encodes one reading of a range.
   *
   * @param epochNanos the time at which tick 0 began
   */
  void encode(PageSnapshot seen, long epochNanos) {
    length = 0;
    untold = 0;
    free = 0;
    available = 0;
    contradictions = 0;
    long nowTick = (seen.takenNanos() - epochNanos) >> TICK_SHIFT;
    usedSinceTick =
        !seen.hasAges() || seen.oldestUsedNanos() < 0
            ? NOT_USED
            : (seen.takenNanos() - seen.oldestUsedNanos() - epochNanos) >> TICK_SHIFT;
    long oldestReclaimed = nowTick - RECLAIMED_TICKS;
    int runStart = 0;
    int runKind = FREE;
    long runTick = 0;
    long lastWord = 0;
    int pageCount = seen.pageCount();
    for (int page = 0; page < pageCount; page++) {
      long word = seen.word(page);
      if (word == lastWord) {
        continue;
      }
      lastWord = word;
      int kind = PageWord.state(word);
      long tick = 0;
      if (word == PageSnapshot.FREE_CONTRADICTION) {
        kind = FREE_CONTRADICTION;
      } else if (kind == AVAILABLE) {
        tick = clamp(tickOf(word, epochNanos), nowTick);
      } else if (kind == FREE && word != 0) {
        long reclaimed = tickOf(word, epochNanos);
        if (reclaimed >= oldestReclaimed && reclaimed <= nowTick) {
          kind = RECLAIMED;
          tick = clamp(reclaimed, nowTick);
        }
      }
      if (kind != runKind || tick != runTick) {
        put(page - runStart, runKind, runTick);
        runStart = page;
        runKind = kind;
        runTick = tick;
      }
    }
    put(pageCount - runStart, runKind, runTick);
    if (untold > 0) {
      put((long) untold << KIND_BITS | UNTOLD);
    }
  }

  private static long tickOf(long word, long epochNanos) {
    return (PageWord.stampNanos(word) - epochNanos) >> TICK_SHIFT;
  }

  /** A client may have written a stamp before the server began, or in the future. */
  private static long clamp(long tick, long nowTick) {
    return Math.clamp(tick, 0, Math.max(0, nowTick));
  }

  private void put(int pages, int kind, long tick) {
    if (pages == 0) {
      return;
    }
    switch (kind) {
      case AVAILABLE -> available += pages;
      case CONTRADICTION -> contradictions += pages;
      case FREE_CONTRADICTION -> {
        contradictions += pages;
        free += pages;
      }
      case FREE, RECLAIMED -> free += pages;
      default -> {} // USED is what is left
    }
    // Leave room for one more run, that of the untold pages.
    if (untold > 0 || length > MAX_BYTES - 2 * MAX_RUN_BYTES) {
      untold += pages;
      return;
    }
    if (bytes.length - length < 2 * MAX_RUN_BYTES) {
      bytes = Arrays.copyOf(bytes, bytes.length * 2);
    }
    put((long) pages << KIND_BITS | (kind == FREE_CONTRADICTION ? CONTRADICTION : kind));
    if (kind == AVAILABLE || kind == RECLAIMED) {
      put(tick);
    }
  }

  private void put(long number) {
    long rest = number;
    while (rest > 0x7f) {
      bytes[length++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    bytes[length++] = (byte) rest;
  }

  /** Whether another encoding is equal. */
  boolean sameAs(byte[] other) {
    return Arrays.equals(bytes, 0, length, other, 0, other.length);
  }

  /** A copy of the encoding. */
  byte[] toBytes() {
    return Arrays.copyOf(bytes, length);
  }

  /** Pages that count as FREE. */
  int free() {
    return free;
  }

  /** Pages with memory that is not in use. */
  int available() {
    return available;
  }

  /** Pages whose word has a value that no client may write; they count as FREE or as USED. */
  int contradictions() {
    return contradictions;
  }

  /**
   * The earliest tick since which any USED page can have been USED without a break; {@link
   * #NOT_USED} if no page is USED.
   */
  long usedSinceTick() {
    return usedSinceTick;
  }
}
