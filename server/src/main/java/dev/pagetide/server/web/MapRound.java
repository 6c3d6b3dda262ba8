package dev.pagetide.server.web;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/**
 * A round that is not over yet: it reads all ranges in the order of their ids. This is how far it
 * has come, and what it has found. Guarded by the {@link MapFeed}'s lock.
 */
final class MapRound {
  private final long startNanos;
  private final Set<Long> unseen;
  private long lastId;
  private int shown;
  private long costNanos;
  private PageSums found = PageSums.NONE;

  /**
   * A round that has read no range yet.
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

  /** The range that it reached last; 0 before the first. */
  long lastId() {
    return lastId;
  }

  /** It reaches a range. If reading that range fails, the round goes on with the next. */
  void comeTo(long rangeId) {
    lastId = rangeId;
  }

  /** Whether a range was there at the last round, and this round has not found it yet. */
  boolean knows(long rangeId) {
    return unseen.contains(rangeId);
  }

  /** How many of the ranges that it has found are shown. */
  int shown() {
    return shown;
  }

  /** It has found a range that is shown. */
  void show(RangeView view) {
    unseen.remove(view.rangeId());
    shown++;
    count(view.pageCount(), view.available(), view.used());
  }

  /** It has found that many pages. */
  void count(long pages, long available, long used) {
    found = found.plus(pages, available, used);
  }

  /** It has taken that much more time. */
  void spend(long nanos) {
    costNanos += nanos;
  }

  /** The time that it has taken, without the pauses between its slices. */
  long costNanos() {
    return costNanos;
  }

  /** The ranges that were there at the last round and that this one has not found. */
  Set<Long> gone() {
    return unseen;
  }

  /** The pages of all ranges that it has found. */
  PageSums found() {
    return found;
  }
}
