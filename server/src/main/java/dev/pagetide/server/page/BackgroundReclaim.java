package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * The two threads that see to memory while nobody asks for it: one reclaims between the watermarks,
 * ahead of need, as the kernel's kswapd does; the other serves those who wait.
 *
 * <p>The server's budget has watermarks, and each uid's limit has them at the same part of it,
 * because a uid that is full is refused however much the server has left.
 *
 * <p>Thread-safe.
 */
public final class BackgroundReclaim implements AutoCloseable {
  /**
   * Pages taken by one scan: some 500 us, beside which it does not matter what a scan costs at
   * least (20 us where there are 500 ranges). Locks are let go every 256.
   */
  private static final int BATCH_PAGES = 1024;

  /** How long to leave it after a scan that found nothing, at first; doubled each time. */
  private static final long MIN_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** A look at ten million pages that finds nothing takes 25 ms: a hundredth of the time. */
  private static final long MAX_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(3);

  /** How long to leave it after a bug, that its report does not fill the log. */
  private static final long AFTER_FAILURE_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** As {@link #BATCH_PAGES}, but each scan of a uid's ranges alone sweeps all their tables. */
  private static final int UID_BATCH_PAGES = 1 << 16;

  /** How long a budget is left alone after a scan that found nothing in it. */
  private record Rest(long nanos, long untilNanos) {}

  private final Shrinker shrinker;
  private final Consumer<Throwable> failed;

  /** By budget: written by the reclaiming thread alone. */
  private final Map<PageBudget, Rest> rests = new ConcurrentHashMap<>();

  private final Thread reclaiming;
  private final Thread serving;

  /** Whether the reclaiming thread sleeps until it is told. */
  private volatile boolean asleep;

  private volatile boolean open = true;

  private BackgroundReclaim(Shrinker shrinker, Consumer<Throwable> failed) {
    this.shrinker = shrinker;
    this.failed = failed;
    this.reclaiming = thread("pagetide-reclaim", this::reclaim);
    this.serving =
        thread("pagetide-waiters", () -> shrinker.allocationQueue().serveWhile(() -> open));
  }

  private Thread thread(String name, Runnable work) {
    return Thread.ofPlatform().daemon().name(name).unstarted(() -> goOn(work));
  }

  /** Works until the end, whatever happens: without these threads uses would wait for ever. */
  private void goOn(Runnable work) {
    while (open) {
      try {
        work.run();
      } catch (RuntimeException | Error e) {
        failed.accept(e);
        LockSupport.parkNanos(this, AFTER_FAILURE_NANOS);
      }
    }
  }

  /**
   * Starts both threads.
   *
   * @param failed told of a bug in one of them; it goes on
   */
  public static BackgroundReclaim start(Shrinker shrinker, Consumer<Throwable> failed) {
    BackgroundReclaim background = new BackgroundReclaim(shrinker, failed);
    shrinker.whenAboveHighWatermark(background::wake);
    background.reclaiming.start();
    background.serving.start();
    return background;
  }

  /** Called after each reservation above a high watermark: cheap while the thread is at work. */
  private void wake(PageBudget full) {
    if (asleep && !isResting(full)) {
      LockSupport.unpark(reclaiming);
    }
  }

  private void reclaim() {
    while (open) {
      // ORDER: asleep is set before the charges are read, and read after one has risen: one of us
      // sees the other. A budget that rests needs no wake: the thread sleeps no longer than that.
      asleep = true;
      boolean idle = true;
      Set<PageBudget> above = shrinker.aboveHighWatermark();
      for (PageBudget full : above) {
        if (!isResting(full)) {
          asleep = false;
          idle = false;
          reclaimToLow(full);
        }
      }
      rests.keySet().removeIf(rested -> !above.contains(rested) && !isResting(rested));
      if (idle) {
        sleep();
      }
    }
  }

  private boolean isResting(PageBudget full) {
    Rest rest = rests.get(full);
    return rest != null && rest.untilNanos - System.nanoTime() > 0;
  }

  /** Sleeps until the first rest is over, or a budget that does not rest rises above its mark. */
  private void sleep() {
    if (!open) {
      return;
    }
    if (rests.isEmpty()) {
      LockSupport.park(this);
      return;
    }
    long now = System.nanoTime();
    long nanos = MAX_PAUSE_NANOS;
    for (Rest rest : rests.values()) {
      nanos = Math.min(nanos, rest.untilNanos - now);
    }
    LockSupport.parkNanos(this, nanos); // not at all if one has just ended
  }

  /** Reclaims until the charge is at the low watermark, or pages cannot be had. */
  private void reclaimToLow(PageBudget full) {
    boolean whole = full.isRoot();
    long low = shrinker.config().lowWatermarkPages(full);
    long above = full.chargedPages() - low;
    while (open && above > 0) {
      long batch = Math.min(whole ? BATCH_PAGES : UID_BATCH_PAGES, above);
      if (shrinker.scanAhead(batch, full).reclaimed() == 0) {
        // All that is left is in use, or spared. Clients stop pages without a word to us.
        Rest last = rests.get(full);
        long pause = last == null ? MIN_PAUSE_NANOS : Math.min(2 * last.nanos, MAX_PAUSE_NANOS);
        rests.put(full, new Rest(pause, System.nanoTime() + pause));
        return;
      }
      above = full.chargedPages() - low;
    }
    rests.remove(full);
  }

  /** Ends both threads, and waits for what they have begun. */
  @Override
  public void close() {
    open = false;
    LockSupport.unpark(reclaiming);
    shrinker.allocationQueue().wake();
    try {
      reclaiming.join();
      serving.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
