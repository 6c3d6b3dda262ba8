package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The oldest AVAILABLE pages in the order in which they are to be reclaimed: exact LRU without a
 * list, filled by a sweep over the page tables.
 */
/*
 * What "exact" promises: of two stops of which one returned before the other was called, the first is
 * reclaimed first. The argument: a sweep reads the clock (the cut), then the tables, and queues no
 * word stamped after the cut. Let stop A return before stop B is called, and let B's page be queued.
 * B's stamp was read after A's compare-and-set and is at or before the cut, so A's word was in the
 * table before the sweep read it: the sweep has queued A's page, too, unless it had chosen only older
 * ones. And A's stamp is at most B's. Stops that overlap in time may go either way.
 *
 * A queued candidate is a page and the exact word it was chosen by. If the page has been used since,
 * the word differs and the candidate is dropped when its turn comes. Pages stopped later have later
 * stamps than everything queued, so a queue stays right until it is empty.
 *
 * LOCKS: `lock` is a leaf, held to copy some longs. `sweepLock` is held over a walk through the page
 * tables, so that two scans do not both walk; nothing is called under it but that walk.
 */
final class EvictionQueue {
  private final ReentrantLock lock = new ReentrantLock();
  private final ReentrantLock sweepLock = new ReentrantLock();
  private final PageClock clock;
  private final PageObserver observer;

  @GuardedBy("lock")
  private List<ShrinkablePageRange> ranges = List.of();

  @GuardedBy("lock")
  private long[] words = {};

  @GuardedBy("lock")
  private long[] places = {};

  @GuardedBy("lock")
  private int head;

  @GuardedBy("lock")
  private int tail;

  @GuardedBy("lock")
  private long generation;

  EvictionQueue(PageClock clock, PageObserver observer) {
    this.clock = clock;
    this.observer = observer;
  }

  /** Some candidates that were taken from a queue, oldest first; confined to one thread. */
  static final class Batch {
    private final List<ShrinkablePageRange> ranges;
    private final long[] words;
    private final long[] places;
    private final long generation;

    /**
     * Candidates of one filling of the queue.
     *
     * @param ranges what the places' range indices mean
     * @param generation which filling
     */
    Batch(List<ShrinkablePageRange> ranges, long[] words, long[] places, long generation) {
      this.ranges = ranges;
      this.words = words;
      this.places = places;
      this.generation = generation;
    }

    int size() {
      return words.length;
    }

    List<ShrinkablePageRange> ranges() {
      return ranges;
    }

    long[] words() {
      return words;
    }

    long[] places() {
      return places;
    }

    long generation() {
      return generation;
    }
  }

  /** Takes up to {@code most} of the oldest candidates; an empty batch if the queue is empty. */
  Batch take(int most) {
    lock.lock();
    try {
      int count = Math.min(most, tail - head);
      long[] takenWords = new long[count];
      long[] takenPlaces = new long[count];
      System.arraycopy(words, head, takenWords, 0, count);
      System.arraycopy(places, head, takenPlaces, 0, count);
      head += count;
      return new Batch(ranges, takenWords, takenPlaces, generation);
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
        System.arraycopy(skipped.words(), 0, words, head, count);
        System.arraycopy(skipped.places(), 0, places, head, count);
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

  /**
   * Fills the empty queue with the oldest AVAILABLE pages of some ranges.
   *
   * @param from the ranges to look through
   * @param without ranges to leave out
   * @param most how many to queue
   * @param withLater whether to queue words stamped in the future, too: the last resort. Words
   *     stamped after the cut by a stop that ran while we swept are left out even then
   */
  Sweep sweep(
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
      swept.sort(Comparator.comparingLong(ShrinkablePageRange::id));
      CandidateBuffer buffer = new CandidateBuffer(most);
      long later = 0;
      long looked = 0;
      for (int index = 0; index < swept.size(); index++) {
        ShrinkablePageRange range = swept.get(index);
        later += gather(range, index, cut, withLater, buffer);
        looked += range.pageCount();
      }
      buffer.finish();
      fill(swept, buffer);
      observer.swept(looked, clock.nanos() - cut);
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

  private void fill(List<ShrinkablePageRange> swept, CandidateBuffer buffer) {
    lock.lock();
    try {
      ranges = swept;
      words = buffer.words();
      places = buffer.places();
      head = 0;
      tail = buffer.size();
      generation++;
    } finally {
      lock.unlock();
    }
  }

  private int size() {
    lock.lock();
    try {
      return tail - head;
    } finally {
      lock.unlock();
    }
  }

  /** Drops every candidate, so that ended ranges are not kept alive by a queue nobody empties. */
  void clear() {
    lock.lock();
    try {
      ranges = List.of();
      words = new long[0];
      places = new long[0];
      head = 0;
      tail = 0;
      generation++;
    } finally {
      lock.unlock();
    }
  }
}
