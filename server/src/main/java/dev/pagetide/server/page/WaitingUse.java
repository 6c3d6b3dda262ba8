package dev.pagetide.server.page;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One use that waits for memory if need be, without keeping a thread: {@link
 * ShrinkablePageRange#useRange} as a future.
 *
 * <p>Cancelling the future takes the use out of the line; what it reserved is given back. A use
 * that is cancelled before it began does nothing.
 */
/*
 * A use waits outside the range (no entry, no lock, no memory held), so a range that closes need
 * not wait for it; when its turn comes the pages are reserved in its name, and it begins again from
 * the first step. If pages of it were reclaimed meanwhile, it may need more than was reserved: then
 * it stands in line again, at the place of its arrival, with nothing in its hands.
 */
public final class WaitingUse implements Runnable {
  private final ShrinkablePageRange range;
  private final PageSpans spans;
  private final Executor workers;
  private final CompletableFuture<PageSpans> result = new CompletableFuture<>();
  private final AtomicReference<@Nullable Waiter> waiting = new AtomicReference<>();
  private final long sinceNanos;
  private final long maxWaitNanos;
  private long arrival = -1;
  private volatile boolean givenUp;

  /**
   * A use that has not begun; its time to wait begins now.
   *
   * @param maxWaitNanos how long to wait at most for memory that others hold; 0: not at all
   * @param workers threads that may allocate
   */
  public WaitingUse(
      ShrinkablePageRange range, PageSpans spans, long maxWaitNanos, Executor workers) {
    this.range = range;
    this.spans = spans;
    this.workers = workers;
    this.sinceNanos = range.shrinker().clock().nanos();
    this.maxWaitNanos = maxWaitNanos;
    var _ =
        result.whenComplete((_, _) -> {
          if (result.isCancelled()) {
            leaveLine();
          }
        });
  }

  /**
   * The fresh pages, or why there are none: ends as {@link ShrinkablePageRange#useRange(PageSpans)}
   * does, on whichever thread it ends.
   */
  public CompletableFuture<PageSpans> result() {
    return result;
  }

  /** Begins, on the calling thread, which may allocate. To be called once. */
  @Override
  public void run() {
    attempt(0);
  }

  /**
   * Waits no longer. Unlike a cancelled use, this one still tells how it ends: as if it had not
   * been given up, if it is not waiting any more; else with {@link CancellationException}, having
   * changed nothing.
   */
  public void giveUp() {
    givenUp = true;
    leaveLine();
  }

  private void leaveLine() {
    Waiter waiter = waiting.get();
    if (waiter != null && line().cancel(waiter)) {
      result.completeExceptionally(new CancellationException("the use was given up"));
    }
  }

  private WaitingLine line() {
    return range.shrinker().waitingLine();
  }

  private Reservations reservations() {
    return range.shrinker().reservations();
  }

  /** Tries once, with pages that are reserved already. */
  private void attempt(long reserved) {
    if (result.isDone()) {
      if (reserved > 0) {
        reservations().giveBack(range.budget(), reserved);
      }
      return;
    }
    UseAllocation allocation = new UseAllocation(range, spans, reserved, maxWaitNanos > 0);
    PageSpans fresh;
    try {
      fresh = allocation.run();
    } catch (RuntimeException | Error e) {
      result.completeExceptionally(e);
      return;
    }
    if (fresh != null) {
      result.complete(fresh);
    } else {
      waitFor(allocation.missingPages());
    }
  }

  private void waitFor(long pages) {
    if (arrival < 0) {
      arrival = line().arrive();
    }
    Waiter waiter =
        new Waiter(
            arrival,
            range,
            pages,
            sinceNanos,
            sinceNanos + maxWaitNanos,
            () -> resume(pages),
            result::completeExceptionally);
    waiting.set(waiter);
    line().join(waiter);
    if (result.isCancelled() || givenUp) {
      leaveLine(); // RACE: cancelled before it stood in line
    }
  }

  private void resume(long reserved) {
    try {
      workers.execute(() -> attempt(reserved));
    } catch (RejectedExecutionException e) {
      reservations().giveBack(range.budget(), reserved);
      result.completeExceptionally(new PageFailure.Closed());
    }
  }
}
