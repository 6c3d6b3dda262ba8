package dev.pagetide.server.page;

import dev.pagetide.shm.ThreadCounts;
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
  private final LongAdder reclaimed = new LongAdder();
  private final LongAdder closed = new LongAdder();
  private final LongAdder strays = new LongAdder();

  /** No counts yet. */
  public PageCounters() {}

  void allocated(int pages) {
    allocated.add(pages);
  }

  /** The calling thread's own counts of pages reused and stopped. */
  ThreadCounts.Cell own() {
    return warm.own();
  }

  void reclaimed(int pages) {
    reclaimed.add(pages);
  }

  void closed(int pages) {
    closed.add(pages);
  }

  void strays(int pages) {
    strays.add(pages);
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
    return reclaimed.sum();
  }

  /** Pages that were resident when their range closed. */
  public long closed() {
    return closed.sum();
  }

  /** Pages of memory found, and taken, that the server had not given; of ended ranges, too. */
  public long strays() {
    return strays.sum();
  }
}
