package dev.pagetide.server.page;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The ranges that one sweep walked through, in the order of their ids. Candidates name a range by
 * its index here. A range that ends is taken out, so that a queue keeps no reference to an ended
 * range. The others keep their index.
 *
 * <p>Thread-safe.
 */
final class SweptRanges {
  static final SweptRanges NONE = new SweptRanges(List.of());

  private final long[] ids;
  private final AtomicReferenceArray<@Nullable ShrinkablePageRange> ranges;

  SweptRanges(List<ShrinkablePageRange> swept) {
    List<ShrinkablePageRange> byId = new ArrayList<>(swept);
    byId.sort(Comparator.comparingLong(ShrinkablePageRange::id));
    this.ids = byId.stream().mapToLong(ShrinkablePageRange::id).toArray();
    this.ranges = new AtomicReferenceArray<>(byId.toArray(ShrinkablePageRange[]::new));
  }

  int size() {
    return ids.length;
  }

  /** The range of an index; null if it has ended. */
  @Nullable ShrinkablePageRange get(int index) {
    return ranges.get(index);
  }

  /** Whether all of {@code wanted} were swept, and perhaps other ranges. */
  boolean containsAll(List<ShrinkablePageRange> wanted) {
    for (ShrinkablePageRange range : wanted) {
      if (Arrays.binarySearch(ids, range.id()) < 0) {
        return false;
      }
    }
    return true;
  }

  /** Takes out a range that has ended, if it is here. */
  void remove(ShrinkablePageRange ended) {
    int index = Arrays.binarySearch(ids, ended.id());
    if (index >= 0) {
      ranges.compareAndSet(index, ended, null);
    }
  }

  /** Takes out every range that is closing. */
  void removeClosing() {
    for (int index = 0; index < ids.length; index++) {
      ShrinkablePageRange range = ranges.get(index);
      if (range != null && range.isClosed()) {
        ranges.set(index, null);
      }
    }
  }
}
