package dev.pagetide.server.budget;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One request's place in the line, which it keeps however often it has to wait.
 *
 * <p>{@link #leave} and {@link #over} may be called by any thread at any time; the rest is for the
 * thread that serves the request at that moment.
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
   * A place that is not taken yet; the time to wait begins now.
   *
   * @param leaf what the pages are to be charged to
   * @param hasEnded whether the asker has ended, which ends its wait
   * @param owner who must not hold the line in vain twice in a row; compared by {@code equals}
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
   * Stands in line. If that fails, it does not stand there, and nobody is told.
   *
   * @param granted told that the pages are reserved
   * @param denied told why not
   * @param failed told of a bug, or of what the server lacks itself, if that ends the wait
   * @return false if it was given up on its way there, and nobody is told
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
      // ORDER: leave() writes givenUp and reads waiting, this writes waiting and reads givenUp.
      return !(givenUp && queue.cancel(queued));
    } catch (RuntimeException | Error e) {
      if (queue.leave(queued, WaitOutcome.REFUSED)) {
        throw e;
      }
      return true; // RACE: it stood there already, and somebody else has told it how that ended
    }
  }

  /** Waits no longer, nor again; true if it stood in line, and is told nothing any more. */
  public boolean leave() {
    givenUp = true;
    QueuedRequest queued = waiting.get();
    return queued != null && queue.cancel(queued);
  }

  /** The request has ended: if it ever waited, tells how its last wait ended. Called once. */
  public void over() {
    QueuedRequest queued = waiting.get();
    QueuedRequest.End end = queued == null ? null : queued.end();
    if (end != null) {
      queue.context().observer().waited(end.outcome(), end.waitedNanos());
    }
  }
}
