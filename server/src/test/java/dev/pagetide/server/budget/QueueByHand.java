package dev.pagetide.server.budget;

import java.util.function.BooleanSupplier;

/** A line of those who wait for memory that a test serves itself, round by round. */
public final class QueueByHand {
  /** See {@link Turns}. */
  public static final long STALL_NANOS = Turns.STALL_NANOS;

  /** See {@link ScanPause}. */
  public static final long MIN_PAUSE_NANOS = ScanPause.MIN_NANOS;

  private final AllocationQueue queue;

  /** Serves a line that no thread serves. */
  public QueueByHand(AllocationQueue queue) {
    this.queue = queue;
  }

  /** One round with a scan for the first in line. */
  public void serve() {
    queue.serve();
  }

  /** One round, with a scan if the pause is over. */
  public void serveIfDue() {
    queue.serveIfDue();
  }

  /** See {@link AllocationQueue#serveWhile}. */
  public void serveWhile(BooleanSupplier open) {
    queue.serveWhile(open);
  }

  /** See {@link AllocationQueue#pagesStopped}. */
  public void pagesStopped() {
    queue.pagesStopped();
  }

  /** How many wait. */
  public int size() {
    return queue.size();
  }

  /** See {@link OpenPages#tryPass}. */
  public boolean tryPass(long pages) {
    return queue.reservations().openPages().tryPass(pages);
  }

  /** See {@link OpenPages#passedNot}. */
  public void passedNot(long pages) {
    queue.reservations().openPages().passedNot(pages);
  }
}
