package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The oldest AVAILABLE pages in the order in which they are to be reclaimed: exact LRU without a
 * list, filled by a sweep over the page tables.
 */
/*
 * What "exact" promises: of two stops of which one returned before the other was called, the first
 * is reclaimed first. The argument: a sweep reads the clock (the cut), then the tables, and queues
 * no word stamped after the cut. Let stop A return before stop B is called, and let B's page be
 * queued. B's stamp was read after A's compare-and-set and is at or before the cut, so A's word was
 * in the table before the sweep read it: the sweep has queued A's page, too, unless it had chosen
 * only older ones. And A's stamp is at most B's. Stops that overlap in time may go either way.
 *
 * A queued candidate is a page and the exact word it was chosen by. If the page has been used
 * since, the word differs and the candidate is dropped when its turn comes. Pages stopped later
 * have later stamps than everything queued, so a queue stays right until it is empty.
 *
 * LOCKS: `lock` is a leaf, held to copy some longs. `sweepLock` is held over a walk through the
 * page tables, so that two scans do not both walk; nothing is called under it but that walk.
 */
final class EvictionQueue {
  /** Candidates for which arrays are kept from sweep to sweep, 2 MiB; larger ones are let go. */
  private static final int MAX_SPARE_ROOM = 1 << 17;

  private static final Comparator<ShrinkablePageRange> BY_ID =
      Comparator.comparingLong(ShrinkablePageRange::id);

  private final ReentrantLock lock = new ReentrantLock();
  private final ReentrantLock sweepLock = new ReentrantLock();
  private final PageClock clock;
  private final PageObserver observer;

  /** Those that were swept, by id. */
  @GuardedBy("lock")
  private List<ShrinkablePageRange> ranges = List.of();

  /** The candidates; those from {@code head} on are still there to be taken. */
  @GuardedBy("lock")
  private CandidateBuffer filled = new CandidateBuffer(1, 0);

  @GuardedBy("lock")
  private int head;

  /** The buffer that was filled before: the next sweep gathers in its arrays. */
  @GuardedBy("sweepLock")
  private CandidateBuffer spare = new CandidateBuffer(1, 0);

  @GuardedBy("lock")
  private long generation;

  /** When the sweep that found the candidates began: those stamped later are lies. */
  @GuardedBy("lock")
  private long cutNanos;

  EvictionQueue(PageClock clock, PageObserver observer) {
    this.clock = clock;
    this.observer = observer;
  }

  /** Some candidates that were taken from a queue, oldest first; confined to one thread. */
  static final class Batch {
    private final long[] words;
    private final long[] places;
    private List<ShrinkablePageRange> ranges = List.of();
    private int size;
    private long generation;

    /** Room for {@code most} candidates, used again by each {@link #take}. */
    Batch(int most) {
      this.words = new long[most];
      this.places = new long[most];
    }

    /** Candidates of one filling of the queue. */
    Batch(List<ShrinkablePageRange> ranges, long[] words, long[] places, long generation) {
      this.ranges = ranges;
      this.words = words;
      this.places = places;
      this.size = words.length;
      this.generation = generation;
    }

    int size() {
      return size;
    }

    /** Empties it, and lets go of the ranges. */
    void forget() {
      ranges = List.of();
      size = 0;
    }

    /** What the places' range indices mean. */
    List<ShrinkablePageRange> ranges() {
      return ranges;
    }

    /** The words by which the pages were chosen: the first {@link #size} count. */
    long[] words() {
      return words;
    }

    /** The candidates' places: the first {@link #size} count. */
    long[] places() {
      return places;
    }

    /** Which filling of the queue they come from. */
    long generation() {
      return generation;
    }
  }

  /**
   * Takes up to {@code most} of the oldest candidates; leaves the batch empty if there are none.
   *
   * @param latestWord the youngest word to take; unsigned, so -1 takes any
   */
  void take(Batch batch, long most, long latestWord) {
    lock.lock();
    try {
      int count = (int) Math.min(Math.min(most, batch.words.length), filled.size() - head);
      while (count > 0 && Long.compareUnsigned(filled.words()[head + count - 1], latestWord) > 0) {
        count--;
      }
      System.arraycopy(filled.words(), head, batch.words, 0, count);
      System.arraycopy(filled.places(), head, batch.places, 0, count);
      head += count;
      batch.size = count;
      batch.ranges = ranges;
      batch.generation = generation;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Puts candidates that were skipped back to where they were taken from, for the next scan. Those
   * of an older filling are dropped: a later sweep has seen their pages.
   */
  void putBack(Batch skipped) {
    lock.lock();
    try {
      int count = skipped.size();
      if (skipped.generation() == generation && count <= head) {
        head -= count;
        System.arraycopy(skipped.words(), 0, filled.words(), head, count);
        System.arraycopy(skipped.places(), 0, filled.places(), head, count);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * What a sweep found.
   *
   * @param queued candidates queued by it, or by somebody else in the meantime
   * @param later AVAILABLE words it left out, because they are stamped after the cut
   */
  record Sweep(int queued, long later) {}

  /** As {@link #sweepNow}, and tells how long it took. */
  Sweep sweep(
      List<ShrinkablePageRange> from,
      Set<ShrinkablePageRange> without,
      int most,
      boolean withLater) {
    long start = clock.nanos();
    Sweep sweep = sweepNow(from, without, most, withLater);
    observer.swept(clock.nanos() - start);
    return sweep;
  }

  /**
   * Fills the empty queue with the oldest AVAILABLE pages of some ranges.
   *
   * @param from the ranges to look through
   * @param without ranges to leave out
   * @param most how many to queue
   * @param withLater whether to queue words stamped in the future, too: the last resort. Words
   *     stamped after the cut by a stop that ran while we swept are left out even then
   */
  private Sweep sweepNow(
      List<ShrinkablePageRange> from,
      Set<ShrinkablePageRange> without,
      int most,
      boolean withLater) {
    sweepLock.lock();
    try {
      int already = size();
      if (already > 0) {
        return new Sweep(already, 0);
      }
      long cut = clock.nanos();
      List<ShrinkablePageRange> swept = new ArrayList<>(from);
      swept.removeAll(without);
      swept.sort(BY_ID);
      long resident = 0;
      for (ShrinkablePageRange range : swept) {
        resident += range.pages().count();
      }
      CandidateBuffer buffer = spare;
      buffer.reset(most, resident);
      long later = 0;
      for (int index = 0; index < swept.size(); index++) {
        ShrinkablePageRange range = swept.get(index);
        later += gather(range, index, cut, withLater, buffer);
      }
      buffer.finish();
      spare = fill(swept, buffer, cut);
      return new Sweep(buffer.size(), later);
    } finally {
      sweepLock.unlock();
    }
  }

  private long gather(
      ShrinkablePageRange range,
      int rangeIndex,
      long cut,
      boolean withLater,
      CandidateBuffer buffer) {
    if (range.pages().count() == 0 || !range.entries().tryEnter()) {
      return 0;
    }
    try {
      long later = 0;
      int pageCount = range.pageCount();
      for (int page = 0; page < pageCount; page++) {
        long word = range.table().wordAcquire(page);
        if (PageWord.state(word) != PageWord.AVAILABLE || !range.pages().isResident(page)) {
          continue;
        }
        long stamp = PageWord.stampNanos(word);
        // A stop reads the clock before it writes the word: so a stamp that is still to come, now
        // that we have read the word, is a lie, and its place in the order is not worth keeping.
        if (stamp <= cut || (withLater && stamp > clock.nanos())) {
          buffer.add(word, CandidateBuffer.place(rangeIndex, page));
        } else {
          later++;
        }
      }
      return later;
    } finally {
      range.entries().leave();
    }
  }

  /** Makes a buffer the queue's, and returns the one that was. */
  private CandidateBuffer fill(List<ShrinkablePageRange> swept, CandidateBuffer buffer, long cut) {
    lock.lock();
    try {
      CandidateBuffer before = filled;
      ranges = swept;
      filled = buffer;
      head = 0;
      generation++;
      cutNanos = cut;
      return before.room() <= MAX_SPARE_ROOM ? before : new CandidateBuffer(1, 0);
    } finally {
      lock.unlock();
    }
  }

  /** Whether the candidates were chosen from all of some ranges, and maybe others. */
  boolean sweptAll(List<ShrinkablePageRange> wanted) {
    List<ShrinkablePageRange> swept;
    lock.lock();
    try {
      swept = ranges;
    } finally {
      lock.unlock();
    }
    for (ShrinkablePageRange range : wanted) {
      if (Collections.binarySearch(swept, range, BY_ID) < 0) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether all that is left was stamped in the future when it was found. Honest pages that were
   * stopped since then are older than those stamps, and not here.
   */
  boolean onlyLaterIsLeft() {
    lock.lock();
    try {
      return head < filled.size() && PageWord.stampNanos(filled.words()[head]) > cutNanos;
    } finally {
      lock.unlock();
    }
  }

  /** How many candidates are there to be taken. */
  int size() {
    lock.lock();
    try {
      return filled.size() - head;
    } finally {
      lock.unlock();
    }
  }

  /** Drops every candidate, so that ended ranges are not kept alive by a queue nobody empties. */
  void clear() {
    lock.lock();
    try {
      ranges = List.of();
      head = filled.size();
      generation++;
    } finally {
      lock.unlock();
    }
  }
}
