package dev.pagetide.server.web;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/**
 * A round of looks at all ranges, in the order of their ids, that is not over yet: how far it came,
 * and what it found. Guarded by the {@link MapFeed}'s lock.
 */
final class MapRound {
  private final long startNanos;
  private final Set<Long> unseen;
  private long lastId;
  private int shown;
  private long costNanos;
  private PageSums found = PageSums.NONE;

  /**
   * A round that has looked at nothing.
   *
   * @param sketched the ranges that were there at the last round
   */
  MapRound(long startNanos, Collection<Long> sketched) {
    this.startNanos = startNanos;
    this.unseen = new HashSet<>(sketched);
  }

  /** When it began. */
  long startNanos() {
    return startNanos;
  }

  /** The range that it came to last; 0 before the first. */
  long lastId() {
    return lastId;
  }

  /** It comes to a range: if the look at that one fails, the round goes on with the next. */
  void comeTo(long rangeId) {
    lastId = rangeId;
  }

  /** Whether a range was there at the last round, and this round has not found it yet. */
  boolean knows(long rangeId) {
    return unseen.contains(rangeId);
  }

  /** How many ranges it found that are shown. */
  int shown() {
    return shown;
  }

  /** It found a range that is shown. */
  void show(RangeView view) {
    unseen.remove(view.rangeId());
    shown++;
    count(view.pageCount(), view.available(), view.used());
  }

  /** It found so many pages. */
  void count(long pages, long available, long used) {
    found = found.plus(pages, available, used);
  }

  /** It took so much time more. */
  void spend(long nanos) {
    costNanos += nanos;
  }

  /** The time it took, without the pauses between its parts. */
  long costNanos() {
    return costNanos;
  }

  /** The ranges that were there at the last round and that this one did not find. */
  Set<Long> gone() {
    return unseen;
  }

  /** The pages of all ranges it found. */
  PageSums found() {
    return found;
  }
}
