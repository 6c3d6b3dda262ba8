package dev.pagetide.server.page;

import dev.pagetide.server.budget.OpeningCharge;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.QueuePlace;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * One opening of a range. If necessary, it waits for the memory of its header and page table. While
 * it waits, it holds no thread and nothing that others could need, because each attempt begins from
 * the first step.
 *
 * @param <S> what is opened
 */
/*
 * While it waits, the range and its budget do not exist. So pages that are reserved for it are
 * charged to a budget of its own below the server's. The new range's budget takes that charge over.
 */
public final class PendingOpening<S> extends PendingRequest<S> {
  private final Shrinker shrinker;
  private final Attempt<S> attempt;
  private final PageBudget held;

  /**
   * Opens, or throws and undoes what it did.
   *
   * @param <S> what is opened
   */
  @FunctionalInterface
  public interface Attempt<S> {
    /** Opens with {@link ShrinkablePageRange#register}, and passes on its exceptions. */
    S open(OpeningCharge charge);
  }

  /** There is no memory now; nothing has changed. It has no stack trace, because it is no fault. */
  static final class MustWait extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final long pages;

    MustWait(long pages) {
      super("an opening has to wait for " + pages + " pages", null, false, false);
      this.pages = pages;
    }

    long pages() {
      return pages;
    }
  }

  /**
   * An opening that has not begun. Its time to wait begins now.
   *
   * @param owner identifies the asker whose turn must not be in vain twice in a row; all openings
   *     of one client have the same
   * @param maxWaitNanos how long to wait at most for memory that others hold; 0: not at all
   * @param workers threads that may reclaim and make files
   */
  public PendingOpening(
      Shrinker shrinker, Object owner, Attempt<S> attempt, long maxWaitNanos, Executor workers) {
    this(
        shrinker,
        owner,
        attempt,
        maxWaitNanos,
        workers,
        budgetOfOpening(shrinker.context().budget()));
  }

  private PendingOpening(
      Shrinker shrinker,
      Object owner,
      Attempt<S> attempt,
      long maxWaitNanos,
      Executor workers,
      PageBudget held) {
    super(
        new QueuePlace(shrinker.allocationQueue(), held, () -> false, owner, maxWaitNanos),
        workers,
        "opening");
    this.shrinker = shrinker;
    this.attempt = attempt;
    this.held = held;
  }

  /**
   * The budget of the pages for which one opening has waited, until the range's budget takes them
   * over.
   */
  private static PageBudget budgetOfOpening(PageBudget server) {
    return server.child("--max-resident-bytes", server.limitPages());
  }

  /** The result of the opening, or why it failed. Must not be cancelled: see {@link #giveUp}. */
  public CompletableFuture<S> result() {
    return result;
  }

  @Override
  void attempt(long reserved) {
    OpeningCharge charge = new OpeningCharge(held, reserved, place.mayWait());
    S opened;
    try {
      try {
        opened = attempt.open(charge);
      } finally {
        charge.giveBackRest(shrinker.reservations());
      }
    } catch (MustWait e) {
      waitFor(e.pages());
      return;
    } catch (RuntimeException | Error e) {
      fail(e);
      return;
    }
    place.over();
    result.complete(opened);
  }

  @Override
  void giveBack(long reserved) {
    shrinker.reservations().giveBack(held, reserved);
  }
}
