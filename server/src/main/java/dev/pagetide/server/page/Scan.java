package dev.pagetide.server.page;

import dev.pagetide.server.budget.FairShare;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.PageWord;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One scan: goes through the candidates, groups them by range and reclaims each group. Confined to
 * one thread.
 */
final class Scan {
  /** The most candidates that are taken from a queue at once. */
  private static final int BATCH = 1024;

  private ReclaimTrigger trigger = ReclaimTrigger.REQUEST;
  private long reclaimed;

  /** How many pages were passed over, by reason. */
  private final Map<SkipReason, Long> passedOver = new EnumMap<>(SkipReason.class);

  /** If not null, the scan takes no range below this share. */
  private @Nullable FairShare share;

  /** Whether candidates were dropped because their range had come down to its share. */
  private boolean leftShares;

  private final EvictionQueue.Batch batch = new EvictionQueue.Batch(BATCH);
  private final CandidateBuffer sorter = new CandidateBuffer(1, 1);
  private final Set<ShrinkablePageRange> busy = Collections.newSetFromMap(new IdentityHashMap<>());

  /** Ranges in which this scan reclaimed fewer pages than it had chosen. */
  private final Set<ShrinkablePageRange> stubborn =
      Collections.newSetFromMap(new IdentityHashMap<>());

  /** Skipped candidates, by the generation of the queue's contents they came from. */
  private final Map<Long, Skipped> skipped = new HashMap<>();

  private final int[] chosen = new int[BATCH];
  private final long[] words = new long[BATCH];

  /**
   * Resets all but the arrays. They are kept because fresh memory would be half of a scan's cost.
   */
  void begin(ReclaimTrigger why) {
    trigger = why;
    reclaimed = 0;
    passedOver.clear();
    onlyBeyond(null);
    batch.forget();
    busy.clear();
    stubborn.clear();
    skipped.clear();
  }

  /** Why the scan runs. */
  ReclaimTrigger trigger() {
    return trigger;
  }

  /** Counts pages that became FREE. */
  void reclaimed(long pages) {
    reclaimed += pages;
  }

  /** Counts pages passed over. */
  void skipped(SkipReason reason, long pages) {
    if (pages > 0) {
      passedOver.merge(reason, pages, Long::sum);
    }
  }

  /** How many pages became FREE so far. */
  long reclaimed() {
    return reclaimed;
  }

  /** The result so far. */
  ScanResult result() {
    long scanned = reclaimed + passedOver.values().stream().mapToLong(Long::longValue).sum();
    return new ScanResult(scanned, reclaimed, passedOver);
  }

  /** Ranges that turned out to be busy. This scan leaves them alone from then on. */
  Set<ShrinkablePageRange> busyRanges() {
    return busy;
  }

  /** Leaves alone also the ranges in which this scan reclaimed fewer pages than it had chosen. */
  void leaveOutStubborn() {
    busy.addAll(stubborn);
  }

  /** From now on takes from each range only what it holds beyond a share; if null, takes all. */
  void onlyBeyond(@Nullable FairShare fairShare) {
    share = fairShare;
    leftShares = false;
  }

  /** Whether candidates were dropped because their range had come down to its share. */
  boolean leftShares() {
    return leftShares;
  }

  /**
   * Reclaims up to {@code most} of the oldest candidates of a queue, but none with a word above
   * {@code latestWord}. Returns false if the queue has no such candidate.
   */
  boolean takeFrom(EvictionQueue queue, long most, long latestWord) {
    queue.take(batch, most, latestWord);
    if (batch.size() == 0) {
      return false;
    }
    takeBatch();
    return true;
  }

  private void takeBatch() {
    // The order within a batch does not matter, because all of it is to be reclaimed. So we sort it
    // by place, which brings neighbours together.
    long[] batchWords = batch.words();
    long[] batchPlaces = batch.places();
    int size = batch.size();
    sorter.sortByPlace(batchWords, batchPlaces, 0, size);
    int from = 0;
    while (from < size) {
      int index = CandidateBuffer.rangeIndex(batchPlaces[from]);
      int to = from;
      while (to < size && CandidateBuffer.rangeIndex(batchPlaces[to]) == index) {
        to++;
      }
      ShrinkablePageRange range = batch.ranges().get(index);
      if (range == null) {
        skipped(SkipReason.CLOSING, to - from);
      } else {
        takeGroup(range, batchWords, batchPlaces, from, to);
      }
      from = to;
    }
    rememberSkipped();
  }

  private void takeGroup(
      ShrinkablePageRange range, long[] groupWords, long[] groupPlaces, int from, int to) {
    int count = to - from;
    if (busy.contains(range)) {
      skipped(SkipReason.LOCKED, count);
      return;
    }
    if (share != null && ReclaimOrder.excess(share, range) < count) {
      // RACE: two scans may both take the excess. Then the range is below its share by one batch.
      sorter.sortByAge(groupWords, groupPlaces, from, to);
      count =
          keepOldest(
              range, groupWords, groupPlaces, from, to, (int) ReclaimOrder.excess(share, range));
      sorter.sortByPlace(groupWords, groupPlaces, from, from + count);
      leftShares = true;
    }
    // Pages descend in the order of places, but the reclaimer needs them ascending.
    for (int i = 0; i < count; i++) {
      chosen[i] = CandidateBuffer.page(groupPlaces[from + count - 1 - i]);
      words[i] = groupWords[from + count - 1 - i];
    }
    long before = reclaimed;
    if (new RunReclaimer(range, this).reclaim(chosen, words, 0, count) < count) {
      busy.add(range);
    }
    if (reclaimed - before < count) {
      stubborn.add(range);
    }
  }

  /**
   * Moves to the front the first {@code most} candidates whose words have not changed since they
   * were chosen, and returns how many they are. A changed candidate must not count, because it
   * would take the place of one that can be reclaimed.
   */
  private static int keepOldest(
      ShrinkablePageRange range,
      long[] groupWords,
      long[] groupPlaces,
      int from,
      int to,
      int most) {
    if (!range.entries().tryEnter()) {
      return 0;
    }
    try {
      int kept = from;
      for (int i = from; i < to && kept - from < most; i++) {
        if (range.table().wordAcquire(CandidateBuffer.page(groupPlaces[i])) == groupWords[i]) {
          groupWords[kept] = groupWords[i];
          groupPlaces[kept] = groupPlaces[i];
          kept++;
        }
      }
      return kept - from;
    } finally {
      range.entries().leave();
    }
  }

  /** Keeps those candidates of a batch in busy ranges whose words are unchanged, oldest first. */
  private void rememberSkipped() {
    if (busy.isEmpty()) {
      return;
    }
    sorter.sortByAge(batch.words(), batch.places(), 0, batch.size());
    for (int i = 0; i < batch.size(); i++) {
      ShrinkablePageRange range = batch.ranges().get(CandidateBuffer.rangeIndex(batch.places()[i]));
      if (range == null || !busy.contains(range) || !range.entries().tryEnter()) {
        continue;
      }
      try {
        int page = CandidateBuffer.page(batch.places()[i]);
        if (range.table().wordAcquire(page) == batch.words()[i]) {
          skipped
              .computeIfAbsent(batch.generation(), generation -> new Skipped(batch.ranges()))
              .add(batch.words()[i], batch.places()[i]);
        }
      } finally {
        range.entries().leave();
      }
    }
  }

  /** Puts the skipped candidates back into the queue, for the next scan. */
  void putBackSkipped(EvictionQueue queue) {
    skipped.forEach((generation, kept) -> queue.putBack(kept.inOrder(generation, sorter)));
    skipped.clear();
  }

  /** Drops the candidates skipped so far, because candidates now come from another queue. */
  void forgetSkipped() {
    skipped.clear();
  }

  /**
   * Reclaims every AVAILABLE page of ranges that is stamped at or before {@code cut}, but at most
   * {@code most}. It needs no order, so it neither selects nor sorts. Without the cut, a page that
   * is stopped during the walk could be reclaimed before a page that was stopped earlier, but after
   * the walk had passed it.
   *
   * @return how many AVAILABLE words with a stamp after the cut were seen
   */
  long takeAll(List<ShrinkablePageRange> ranges, long most, long cut) {
    long later = 0;
    for (ShrinkablePageRange range : ranges) {
      later += takeAllOf(range, most, cut);
    }
    return later;
  }

  private long takeAllOf(ShrinkablePageRange range, long most, long cut) {
    RunReclaimer reclaimer = new RunReclaimer(range, this);
    long later = 0;
    int page = 0;
    while (page < range.pageCount() && reclaimed < most) {
      if (range.pages().count() == 0 || !range.entries().tryEnter()) {
        break;
      }
      int room = (int) Math.min(ResidentPages.MAX_PAGES_PER_HOLD, most - reclaimed);
      int count = 0;
      try {
        while (page < range.pageCount() && count < room) {
          long word = range.table().wordAcquire(page);
          if (PageWord.state(word) == PageWord.AVAILABLE && range.pages().isResident(page)) {
            if (PageWord.stampNanos(word) <= cut) {
              chosen[count] = page;
              words[count] = word;
              count++;
            } else {
              later++;
            }
          }
          page++;
        }
      } finally {
        range.entries().leave();
      }
      if (count > 0 && reclaimer.reclaim(chosen, words, 0, count) < count) {
        busy.add(range);
        break;
      }
    }
    return later;
  }

  /** A growing list of candidates that were put aside. */
  private static final class Skipped {
    private final SweptRanges ranges;
    private long[] words = new long[64];
    private long[] places = new long[64];
    private int size;

    Skipped(SweptRanges ranges) {
      this.ranges = ranges;
    }

    void add(long word, long place) {
      if (size == words.length) {
        words = Arrays.copyOf(words, 2 * size);
        places = Arrays.copyOf(places, 2 * size);
      }
      words[size] = word;
      places[size] = place;
      size++;
    }

    /**
     * The candidates, oldest first. Each batch is in order, but a later batch may have older pages,
     * which other scans put back.
     */
    EvictionQueue.Batch inOrder(long generation, CandidateBuffer sorter) {
      sorter.sortByAge(words, places, 0, size);
      return new EvictionQueue.Batch(
          ranges, Arrays.copyOf(words, size), Arrays.copyOf(places, size), generation);
    }
  }
}
