package dev.pagetide.server.page;

import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.QueuePlace;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * One request to use pages that, if necessary, waits for memory without holding a thread: {@link
 * ShrinkablePageRange#useRange} as a future.
 *
 * <p>Cancelling the future takes the request out of the allocation queue; the pages that were
 * reserved for it are given back. A request that is cancelled before it began does nothing.
 */
/*
 * A request waits outside the range (no entry, no lock), so a range that closes need not wait for
 * it. When its turn comes, the pages are reserved in its name, and it begins again from the first
 * step. If pages of it were reclaimed meanwhile, it may need more than was reserved. Then it goes
 * into the queue again, at the place of its arrival, and holds nothing.
 */
public final class PendingUse implements Runnable {
  private final ShrinkablePageRange range;
  private final PageSpans spans;
  private final Executor workers;
  private final QueuePlace place;
  private final CompletableFuture<PageSpans> result = new CompletableFuture<>();

  /**
   * A request that has not begun. Its time to wait begins now.
   *
   * @param maxWaitNanos how long to wait at most for memory that others hold; 0: not at all
   * @param workers threads that may allocate
   */
  public PendingUse(
      ShrinkablePageRange range, PageSpans spans, long maxWaitNanos, Executor workers) {
    this.range = range;
    this.spans = spans;
    this.workers = workers;
    this.place =
        new QueuePlace(
            range.shrinker().allocationQueue(),
            range.budget(),
            range::isClosed,
            range,
            maxWaitNanos);
    var _ =
        result.whenComplete((_, _) -> {
          if (result.isCancelled() && place.leave()) {
            place.over();
          }
        });
  }

  /**
   * The fresh pages, or why there are none. It ends as {@link
   * ShrinkablePageRange#useRange(PageSpans)} does, on any thread.
   */
  public CompletableFuture<PageSpans> result() {
    return result;
  }

  /** Begins, on the calling thread, which may allocate. Called once. */
  @Override
  public void run() {
    attempt(0);
  }

  /**
   * Stops waiting. Unlike a cancelled request, this one still reports how it ends. If it is
   * waiting, it ends with a {@link CancellationException} and has changed nothing. Otherwise it
   * ends as if it had not been given up.
   */
  public void giveUp() {
    if (place.leave()) {
      endGivenUp();
    }
  }

  private void endGivenUp() {
    fail(new CancellationException("the use was given up"));
  }

  private void denied(Answer.Denial denial) {
    fail(PageFailure.of(denial));
  }

  private void fail(Throwable why) {
    place.over();
    result.completeExceptionally(why);
  }

  /** Tries once, with pages that are reserved already. */
  private void attempt(long reserved) {
    if (result.isDone()) {
      if (reserved > 0) {
        giveBack(reserved);
      }
      place.over();
      return;
    }
    try {
      UseAllocation allocation = new UseAllocation(range, spans, reserved, place.mayWait());
      PageSpans fresh = allocation.run();
      if (fresh != null) {
        place.over();
        result.complete(fresh);
      } else {
        waitFor(allocation.missingPages());
      }
    } catch (RuntimeException | Error e) {
      fail(e);
    }
  }

  private void waitFor(long pages) {
    if (!place.waitFor(pages, () -> resume(pages), this::denied, this::fail)) {
      endGivenUp();
    }
  }

  private void resume(long reserved) {
    try {
      workers.execute(() -> attempt(reserved));
    } catch (RejectedExecutionException e) {
      giveBack(reserved);
      fail(new PageFailure.Closed());
    } catch (RuntimeException | Error e) { // no thread can be started
      giveBack(reserved);
      fail(e);
    }
  }

  private void giveBack(long reserved) {
    range.shrinker().reservations().giveBack(range.budget(), reserved);
  }
}
