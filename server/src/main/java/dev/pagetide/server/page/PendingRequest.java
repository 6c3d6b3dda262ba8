package dev.pagetide.server.page;

import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.QueuePlace;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * A request that, if necessary, waits in the allocation queue without holding a thread. When pages
 * were reserved for it, it begins again from its first step, on a worker.
 *
 * @param <T> what it ends with
 */
abstract sealed class PendingRequest<T> implements Runnable permits PendingOpening, PendingUse {
  /** How the request ends. */
  final CompletableFuture<T> result = new CompletableFuture<>();

  final QueuePlace place;
  private final Executor workers;
  private final String what;

  /**
   * A request that has not begun.
   *
   * @param workers threads that may reclaim and allocate
   * @param what names the request in the message of one that was given up
   */
  PendingRequest(QueuePlace place, Executor workers, String what) {
    this.place = place;
    this.workers = workers;
    this.what = what;
  }

  /** Tries once, with pages that are reserved already; ends the request, or lets it wait. */
  abstract void attempt(long reserved);

  /** Gives back pages that were reserved for an attempt that does not take place. */
  abstract void giveBack(long reserved);

  /** Begins, on the calling thread, which may reclaim and allocate. Called once. */
  @Override
  public final void run() {
    attempt(0);
  }

  /**
   * Stops waiting. Unlike a cancelled request, this one still reports how it ends. If it is
   * waiting, it ends with a {@link CancellationException} and has changed nothing. Otherwise it
   * ends as if it had not been given up.
   */
  public final void giveUp() {
    if (place.leave()) {
      endGivenUp();
    }
  }

  /** Waits for so many pages. Then {@link #attempt} is called again, or the request fails. */
  final void waitFor(long pages) {
    boolean told;
    try {
      told = place.waitFor(pages, () -> resume(pages), this::denied, this::fail);
    } catch (RuntimeException | Error e) {
      fail(e);
      return;
    }
    if (!told) {
      endGivenUp();
    }
  }

  /** Ends the request with an exception. */
  final void fail(Throwable why) {
    place.over();
    result.completeExceptionally(why);
  }

  private void endGivenUp() {
    fail(new CancellationException("the " + what + " was given up"));
  }

  private void denied(Answer.Denial denial) {
    fail(PageFailure.of(denial));
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
}
