package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One request's place in the allocation queue. The request keeps it, however often it has to wait.
 *
 * <p>Any thread may call {@link #leave} and {@link #over} at any time. Only the thread that serves
 * the request at that moment may call the other methods.
 */
public final class QueuePlace {
  private final AllocationQueue queue;
  private final QueuedRequest.Asker asker;
  private final long sinceNanos;
  private final long maxWaitNanos;
  private final AtomicReference<@Nullable QueuedRequest> waiting = new AtomicReference<>();
  private long arrival = -1;
  private volatile boolean givenUp;

  /**
   * A place that is not taken yet. The time to wait begins now.
   *
   * @param leaf the budget to which the pages are to be charged
   * @param hasEnded whether the asker has ended, which ends its wait
   * @param owner identifies the asker whose turn must not be in vain twice in a row; compared by
   *     {@code equals}
   * @param maxWaitNanos how long to wait at most; 0: not at all
   */
  public QueuePlace(
      AllocationQueue queue,
      PageBudget leaf,
      BooleanSupplier hasEnded,
      Object owner,
      long maxWaitNanos) {
    this.queue = queue;
    this.asker = new QueuedRequest.Asker(leaf, hasEnded, owner);
    this.sinceNanos = queue.context().clock().nanos();
    this.maxWaitNanos = maxWaitNanos;
  }

  /** Whether the asker waits at all. */
  public boolean mayWait() {
    return maxWaitNanos > 0;
  }

  /**
   * Puts the request into the queue. If this throws, the request is not in the queue, and no
   * callback is called.
   *
   * @param granted called when the pages are reserved
   * @param denied called with the reason if they are not
   * @param failed called with a bug, or with a resource that the server itself lacks, if that ends
   *     the wait
   * @return false if the request was given up before it was in the queue; then no callback is
   *     called
   */
  public boolean waitFor(
      long pages, Runnable granted, Consumer<Answer.Denial> denied, Consumer<Throwable> failed) {
    if (arrival < 0) {
      arrival = queue.arrive();
    }
    QueuedRequest queued =
        new QueuedRequest(
            arrival, asker, pages, sinceNanos, sinceNanos + maxWaitNanos, granted, denied, failed);
    waiting.set(queued);
    try {
      queue.join(queued);
      // ORDER: leave() writes givenUp and then reads waiting; this writes waiting and then reads
      // givenUp.
      return !(givenUp && queue.cancel(queued));
    } catch (RuntimeException | Error e) {
      if (queue.leave(queued, WaitOutcome.REFUSED)) {
        throw e;
      }
      return true; // RACE: it was in the queue already, and another thread has called the callback
    }
  }

  /**
   * Stops waiting, and does not wait again. Returns true if the request was in the queue; then no
   * callback is called any more.
   */
  public boolean leave() {
    givenUp = true;
    QueuedRequest queued = waiting.get();
    return queued != null && queue.cancel(queued);
  }

  /**
   * Notes that the request has ended. If it ever waited, reports how its last wait ended. Called
   * once.
   */
  public void over() {
    QueuedRequest queued = waiting.get();
    QueuedRequest.End end = queued == null ? null : queued.end();
    if (end != null) {
      queue.context().observer().waited(end.outcome(), end.waitedNanos());
    }
  }
}
