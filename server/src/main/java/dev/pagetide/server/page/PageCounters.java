package dev.pagetide.server.page;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.ThreadCounts;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/**
 * How many pages made each change of state since the server started. Changes that clients made
 * themselves are not counted here.
 *
 * <p>At rest: allocated - reclaimed - closed = resident data pages, and allocated + reused = pages
 * that the server made USED.
 */
public final class PageCounters {
  private final LongAdder allocated = new LongAdder();
  private final ThreadCounts warm = new ThreadCounts();
  private final Map<ReclaimTrigger, LongAdder> reclaimed =
      adders(ReclaimTrigger.class, ReclaimTrigger.values());
  private final Map<RefaultAge, LongAdder> refaulted =
      adders(RefaultAge.class, RefaultAge.values());
  private final LongAdder closed = new LongAdder();
  private final LongAdder strays = new LongAdder();
  private final LongAdder hostStrays = new LongAdder();
  private final LongAdder auditRounds = new LongAdder();

  /** No counts yet. */
  public PageCounters() {}

  void allocated(int pages) {
    allocated.add(pages);
  }

  /** The calling thread's own counts of pages reused and stopped. */
  ThreadCounts.Cell own() {
    return warm.own();
  }

  private static <K extends Enum<K>> Map<K, LongAdder> adders(Class<K> type, K[] keys) {
    Map<K, LongAdder> adders = new EnumMap<>(type);
    for (K key : keys) {
      adders.put(key, new LongAdder());
    }
    return Collections.unmodifiableMap(adders);
  }

  private static <K> LongAdder of(Map<K, LongAdder> adders, K key) {
    return Objects.requireNonNull(adders.get(key));
  }

  void reclaimed(ReclaimTrigger trigger, int pages) {
    of(reclaimed, trigger).add(pages);
  }

  /**
   * Counts a page that got memory {@code ageNanos} after it had been reclaimed, according to its
   * word.
   */
  void refaulted(long ageNanos) {
    of(refaulted, RefaultAge.of(ageNanos)).increment();
  }

  void closed(int pages) {
    closed.add(pages);
  }

  void strays(int pages) {
    strays.add(pages);
  }

  void hostStrays(int pages) {
    hostStrays.add(pages);
  }

  void auditRound() {
    auditRounds.increment();
  }

  /** FREE pages that got memory and kept it. */
  public long allocated() {
    return allocated.sum();
  }

  /** AVAILABLE pages that became USED. */
  public long reused() {
    return warm.reused();
  }

  /** USED pages that became AVAILABLE. */
  public long stopped() {
    return warm.stopped();
  }

  /** AVAILABLE pages that the shrinker made FREE. */
  public long reclaimed() {
    return reclaimed.values().stream().mapToLong(LongAdder::sum).sum();
  }

  /** AVAILABLE pages that the shrinker made FREE for one reason. */
  public long reclaimed(ReclaimTrigger trigger) {
    return of(reclaimed, trigger).sum();
  }

  /**
   * FREE pages that got memory again so soon after they were reclaimed. Clients can write the
   * stamps. A false stamp makes this signal less exact, and has no other effect.
   */
  public long refaulted(RefaultAge age) {
    return of(refaulted, age).sum();
  }

  /** Pages that were resident when their range closed. */
  public long closed() {
    return closed.sum();
  }

  /**
   * As {@link #strays}, while the host forced huge pages on shared memory; the kernel caused these.
   */
  public long hostStrays() {
    return hostStrays.sum();
  }

  /**
   * Pages of memory that the server had not given, and that it found and took. Includes ended
   * ranges.
   */
  public long strays() {
    return strays.sum();
  }

  /** Strays of both kinds. */
  long allStrays() {
    return strays.sum() + hostStrays.sum();
  }

  /** Rounds in which the audit by time looked at all ranges. */
  public long auditRounds() {
    return auditRounds.sum();
  }
}
