package dev.pagetide.server.page;

import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Who waits for memory of the whole server: served in order of arrival, those first who stay within
 * their fair share.
 *
 * <p>Waiting holds no thread and no memory. One thread serves the line ({@link #serveWhile}); a
 * client's stop is a compare-and-set that nobody hears, so while somebody waits the server scans
 * every 10 ms.
 *
 * <p>Thread-safe.
 */
/*
 * A waiter leaves the line by one compare-and-set of its own, so exactly one of granted, refused,
 * cancelled and ended happens to it; memory that was reserved for one who has left meanwhile is
 * given back. Who comes while others wait stands behind them, or a stream of small uses would keep
 * a large one waiting for ever; but not behind those who ask for more than their fair share, or one
 * large use would keep all the others waiting.
 */
public final class WaitingLine {
  /** How often the server looks for pages while somebody waits. */
  private static final long SCAN_EVERY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final Shrinker shrinker;
  private final Reservations reservations;

  /** By arrival. */
  private final ConcurrentSkipListMap<Long, Waiter> waiters = new ConcurrentSkipListMap<>();

  private final AtomicLong arrivals = new AtomicLong();
  private volatile @Nullable Thread server;

  WaitingLine(Shrinker shrinker, Reservations reservations) {
    this.shrinker = shrinker;
    this.reservations = reservations;
  }

  /** A place in the line's order, kept by who has to wait more than once for one use. */
  long arrive() {
    return arrivals.getAndIncrement();
  }

  /** Stands in line; the waiter hears how it ends, once, on another thread or on this one. */
  void join(Waiter waiter) {
    waiters.put(waiter.arrival(), waiter);
    if (waiter.range().isClosed()) {
      // RACE: the range has ended before or after it looked for its waiters; one of us finds it.
      endOne(waiter);
    }
    signal();
  }

  /** Leaves the line, if it stands in it still. */
  boolean cancel(Waiter waiter) {
    boolean cancelled = leave(waiter, WaitOutcome.CANCELLED);
    if (cancelled) {
      signal(); // it may have stood in others' way
    }
    return cancelled;
  }

  /** A range has ended: whoever waits for pages of it hears so. */
  void end(ShrinkablePageRange range) {
    for (Waiter waiter : waiters.values()) {
      if (waiter.range() == range) {
        endOne(waiter);
      }
    }
  }

  private void endOne(Waiter waiter) {
    if (leave(waiter, WaitOutcome.ENDED)) {
      waiter.refused(new PageFailure.Closed());
    }
  }

  private boolean leave(Waiter waiter, WaitOutcome outcome) {
    boolean ended = waiter.tryEnd();
    // RACE: one that was cancelled on its way here ended before it stood in line; out it goes now.
    waiters.remove(waiter.arrival(), waiter);
    if (!ended) {
      return false;
    }
    shrinker.observer().waited(outcome, shrinker.clock().nanos() - waiter.sinceNanos());
    return true;
  }

  /** How many wait. */
  public int size() {
    return waiters.size();
  }

  /** Whether somebody waits who goes before a newcomer that wants pages. */
  boolean goesFirst(PageBudget leaf, long pages) {
    if (waiters.isEmpty()) {
      return false;
    }
    FairShare share = shrinker.fairShare();
    if (!share.covers(leaf, pages)) {
      return true;
    }
    for (Waiter waiter : waiters.values()) {
      if (share.covers(waiter.range().budget(), waiter.pages())) {
        return true;
      }
    }
    return false;
  }

  /** Memory came back without a scan for the line: it is served right away. */
  void memoryCameBack() {
    if (!waiters.isEmpty()) {
      signal();
    }
  }

  private void signal() {
    Thread thread = server;
    if (thread != null) {
      LockSupport.unpark(thread);
    }
  }

  /** Serves the line on the calling thread until {@code open} says no and it is {@link #wake}d. */
  public void serveWhile(BooleanSupplier open) {
    server = Thread.currentThread();
    while (open.getAsBoolean()) {
      if (waiters.isEmpty()) {
        LockSupport.park(this);
      } else {
        serve();
        LockSupport.parkNanos(this, SCAN_EVERY_NANOS);
      }
    }
  }

  /** Makes {@link #serveWhile} look again. */
  public void wake() {
    signal();
  }

  /** One round: refuses those whose time is up, and gives the others memory as far as it goes. */
  void serve() {
    long now = shrinker.clock().nanos();
    for (Waiter waiter : waiters.values()) {
      if (waiter.deadlineNanos() - now <= 0 && leave(waiter, WaitOutcome.REFUSED)) {
        waiter.refused(
            reservations.refusalAfter(
                waiter.range().budget(), waiter.pages(), now - waiter.sinceNanos()));
      }
    }
    FairShare share = shrinker.fairShare();
    if (serve(share, true)) {
      serve(share, false);
    }
  }

  /** Serves those within their share, or the others; false if one of them has to go on waiting. */
  private boolean serve(FairShare share, boolean within) {
    for (Waiter waiter : waiters.values()) {
      if (share.covers(waiter.range().budget(), waiter.pages()) == within && !serve(waiter)) {
        return false;
      }
    }
    return true;
  }

  private boolean serve(Waiter waiter) {
    PageBudget leaf = waiter.range().budget();
    try {
      if (!reservations.tryReserveForWaiter(leaf, waiter.pages())) {
        return false;
      }
    } catch (PageFailure.NoMemory e) {
      if (leave(waiter, WaitOutcome.REFUSED)) {
        waiter.refused(e);
      }
      return true;
    }
    if (leave(waiter, WaitOutcome.GRANTED)) {
      waiter.granted();
    } else {
      reservations.giveBack(leaf, waiter.pages());
    }
    return true;
  }
}
