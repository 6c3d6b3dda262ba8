package dev.pagetide.server.page;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.ThreadCounts;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/**
 * How many pages went over each edge, since the server started; edges taken by clients themselves
 * are not among them.
 *
 * <p>At rest: allocated - reclaimed - closed = resident data pages, and allocated + reused = pages
 * the server made USED.
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

  /** A page was given memory {@code ageNanos} after it had been reclaimed, as its word says. */
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

  /** FREE pages that got memory, and kept it. */
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

  /** Those of them that were reclaimed for one reason. */
  public long reclaimed(ReclaimTrigger trigger) {
    return of(reclaimed, trigger).sum();
  }

  /**
   * FREE pages that got memory again so soon after they were reclaimed. The stamps are the clients'
   * to write: one that lies blurs this signal, and nothing else.
   */
  public long refaulted(RefaultAge age) {
    return of(refaulted, age).sum();
  }

  /** Pages that were resident when their range closed. */
  public long closed() {
    return closed.sum();
  }

  /** As {@link #strays}, while the host forced huge pages on shared memory: the kernel's doing. */
  public long hostStrays() {
    return hostStrays.sum();
  }

  /** Pages of memory found, and taken, that the server had not given; of ended ranges, too. */
  public long strays() {
    return strays.sum();
  }
}
