package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The oldest AVAILABLE pages in the order in which they are to be reclaimed: exact LRU without a
 * list, filled by a sweep over the page tables.
 */
/*
 * What "exact" promises: take two stops, of which one returned before the other was called. The
 * first is reclaimed first, if the clock tells them apart. Stops with one stamp are ordered by
 * range and page.
 *
 * The argument: a sweep reads the clock (the cut), then lists the ranges, then reads their tables,
 * and queues no word stamped after the cut. The cut is a moment that has passed: a read of the
 * clock after the sweep's read gives a later moment. Let stop A return before stop B is called, and
 * let B's page be queued. B's stamp is at or before the cut, so B read the clock before the sweep
 * had its cut. A's compare-and-set came before that, and the registration of A's range came before
 * A's compare-and-set. So the sweep listed A's range, and A's word was in the table before the
 * sweep read the table. So the sweep has queued A's page, too, unless it had chosen only older
 * ones. And A's stamp is at most B's. Stops that overlap in time may go either way.
 *
 * A queued candidate is a page and the exact word by which it was chosen. If the page has been used
 * since, the word differs, and the candidate is dropped when its turn comes. Pages that are stopped
 * later have later stamps than everything queued; so have pages of ranges that are registered
 * later. So a queue stays right until it is empty, on one condition: candidates that were taken and
 * not dealt with come back to their place (putBack), or the queue is cleared.
 *
 * LOCKS: `lock` is a leaf, held to copy some longs. `sweepLock` is held over a walk through the
 * page tables, so that two scans do not both walk. Only the listing of ranges and that walk are
 * called under it.
 */
final class EvictionQueue {
  /**
   * The largest room for candidates that is kept from sweep to sweep: 2 MiB. Larger arrays are
   * dropped.
   */
  private static final int MAX_SPARE_ROOM = 1 << 17;

  private final ReentrantLock lock = new ReentrantLock();
  private final ReentrantLock sweepLock = new ReentrantLock();
  private final PageClock clock;
  private final PageObserver observer;

  /** The ranges that were swept. */
  @GuardedBy("lock")
  private SweptRanges ranges = SweptRanges.NONE;

  /** The candidates. Those from {@code head} on can still be taken. */
  @GuardedBy("lock")
  private CandidateBuffer filled = new CandidateBuffer(1, 0);

  @GuardedBy("lock")
  private int head;

  /** The buffer that was filled before. The next sweep gathers in its arrays. */
  @GuardedBy("sweepLock")
  private CandidateBuffer spare = new CandidateBuffer(1, 0);

  @GuardedBy("lock")
  private long generation;

  /** When the sweep that found the candidates began. Later stamps are false. */
  @GuardedBy("lock")
  private long cutNanos;

  EvictionQueue(PageClock clock, PageObserver observer) {
    this.clock = clock;
    this.observer = observer;
  }

  /** Candidates that were taken from a queue, oldest first. Confined to one thread. */
  static final class Batch {
    private final long[] words;
    private final long[] places;
    private SweptRanges ranges = SweptRanges.NONE;
    private int size;
    private long generation;

    /** Room for {@code most} candidates, which each {@link #take} uses again. */
    Batch(int most) {
      this.words = new long[most];
      this.places = new long[most];
    }

    /** Candidates of one filling of the queue, in the order in which they are to be reclaimed. */
    Batch(SweptRanges ranges, long[] words, long[] places, long generation) {
      this.ranges = ranges;
      this.words = words;
      this.places = places;
      this.size = words.length;
      this.generation = generation;
    }

    int size() {
      return size;
    }

    /** Empties the batch, and drops its references to ranges. */
    void forget() {
      ranges = SweptRanges.NONE;
      size = 0;
    }

    /** The ranges to which the places' indices refer. */
    SweptRanges ranges() {
      return ranges;
    }

    /** The words by which the pages were chosen: the first {@link #size} of them are valid. */
    long[] words() {
      return words;
    }

    /** The candidates' places: the first {@link #size} of them are valid. */
    long[] places() {
      return places;
    }

    /** The number of the queue's filling from which they come. */
    long generation() {
      return generation;
    }
  }

  /**
   * Takes up to {@code most} of the oldest candidates. Leaves the batch empty if there are none.
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
   * Puts candidates that were skipped back to their place in the order, for the next scan. Those of
   * an older filling are dropped: a later sweep has seen their pages.
   *
   * @param skipped in the order in which they are to be reclaimed
   */
  void putBack(Batch skipped) {
    lock.lock();
    try {
      int count = skipped.size();
      if (skipped.generation() == generation && count <= head) {
        head -= count;
        filled.mergeFront(head, skipped.words(), skipped.places(), count);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * The result of a sweep.
   *
   * @param queued candidates queued by this sweep, or by another thread in the meantime
   * @param later AVAILABLE words that it left out, because they are stamped after the cut
   */
  record Sweep(int queued, long later) {}

  /** As {@link #sweepNow}, and reports to the observer how long it took. */
  Sweep sweep(
      Supplier<List<ShrinkablePageRange>> from,
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
   * @param from lists the ranges to sweep; called after the cut is read
   * @param without ranges to leave out
   * @param most how many candidates to queue
   * @param withLater whether to queue words stamped in the future, too, as the last resort. Words
   *     that a stop stamped after the cut, while we swept, are left out even then
   */
  private Sweep sweepNow(
      Supplier<List<ShrinkablePageRange>> from,
      Set<ShrinkablePageRange> without,
      int most,
      boolean withLater) {
    sweepLock.lock();
    try {
      int already = size();
      if (already > 0) {
        return new Sweep(already, 0);
      }
      // ORDER: the cut, then the ranges, then their tables: see the argument above.
      long cut = clock.passedNanos();
      List<ShrinkablePageRange> listed = new ArrayList<>(from.get());
      listed.removeAll(without);
      SweptRanges swept = new SweptRanges(listed);
      long resident = 0;
      for (ShrinkablePageRange range : listed) {
        resident += range.pages().count();
      }
      CandidateBuffer buffer = spare;
      buffer.reset(most, resident);
      long later = 0;
      for (int index = 0; index < swept.size(); index++) {
        ShrinkablePageRange range = swept.get(index);
        if (range != null) {
          later += gather(range, index, cut, withLater, buffer);
        }
      }
      buffer.finish();
      spare = fill(swept, buffer, cut);
      // RACE: if a range ended before the queue was filled, remove() could not take it out of the
      // queue.
      swept.removeClosing();
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
        // A stop reads the clock before it writes the word. So if a stamp is still in the future
        // now, after we have read the word, it is false, and its place in the order is not worth
        // keeping.
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

  /** Makes a buffer the queue's, and returns the one that was the queue's before. */
  private CandidateBuffer fill(SweptRanges swept, CandidateBuffer buffer, long cut) {
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

  /**
   * Whether the candidates were chosen from all of {@code wanted}, and perhaps from other ranges.
   */
  boolean sweptAll(List<ShrinkablePageRange> wanted) {
    return ranges().containsAll(wanted);
  }

  /**
   * Drops the reference to a range that has ended. Its candidates are dropped when their turn
   * comes.
   */
  void remove(ShrinkablePageRange ended) {
    ranges().remove(ended);
  }

  private SweptRanges ranges() {
    lock.lock();
    try {
      return ranges;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether all candidates that are left had a stamp in the future when they were found. Honest
   * pages that were stopped since then are older than those stamps, and are not in the queue.
   */
  boolean onlyLaterIsLeft() {
    lock.lock();
    try {
      return head < filled.size() && PageWord.stampNanos(filled.words()[head]) > cutNanos;
    } finally {
      lock.unlock();
    }
  }

  /** The number of candidates that can be taken. */
  int size() {
    lock.lock();
    try {
      return filled.size() - head;
    } finally {
      lock.unlock();
    }
  }

  /** Drops every candidate, including those that are taken and would be put back. */
  void clear() {
    lock.lock();
    try {
      ranges = SweptRanges.NONE;
      head = filled.size();
      generation++;
    } finally {
      lock.unlock();
    }
  }
}
