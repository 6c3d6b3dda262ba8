package dev.pagetide.server.page;

import dev.pagetide.server.budget.QueuePlace;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

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
public final class PendingUse extends PendingRequest<PageSpans> {
  private final ShrinkablePageRange range;
  private final PageSpans spans;

  /**
   * A request that has not begun. Its time to wait begins now.
   *
   * @param maxWaitNanos how long to wait at most for memory that others hold; 0: not at all
   * @param workers threads that may allocate
   */
  public PendingUse(
      ShrinkablePageRange range, PageSpans spans, long maxWaitNanos, Executor workers) {
    super(
        new QueuePlace(
            range.shrinker().allocationQueue(),
            range.budget(),
            range::isClosed,
            range,
            maxWaitNanos),
        workers,
        "use");
    this.range = range;
    this.spans = spans;
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

  @Override
  void attempt(long reserved) {
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

  @Override
  void giveBack(long reserved) {
    range.shrinker().reservations().giveBack(range.budget(), reserved);
  }
}
