package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * The three threads that work on memory without a request. One reclaims between the watermarks,
 * ahead of need, as the kernel's kswapd does. One serves the allocation queue. One audits all
 * ranges in turn, and sleeps while there are none. It is apart from the others because a client can
 * give it much to punch, and nobody should wait for that.
 *
 * <p>The server's budget has watermarks. The limit of each uid has watermarks at the same fraction
 * of it, because a uid at its limit is refused however much memory the server has left.
 *
 * <p>Thread-safe.
 */
public final class BackgroundReclaim implements AutoCloseable {
  /**
   * Pages taken by one scan, which needs some 500 us. Beside that, a scan's minimum cost does not
   * matter (20 us with 500 ranges). Locks are released after every 256 pages.
   */
  private static final int BATCH_PAGES = 1024;

  /** The first pause after a scan that found nothing. It doubles each time. */
  private static final long MIN_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /**
   * A scan that checks ten million pages and finds nothing takes 25 ms: a hundredth of the time.
   */
  private static final long MAX_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(3);

  /** The pause after a bug, so that the reports do not fill the log. */
  private static final long AFTER_FAILURE_NANOS = TimeUnit.SECONDS.toNanos(1);

  /**
   * As {@link #BATCH_PAGES}; larger, because each scan of one uid's ranges sweeps all their tables.
   */
  private static final int UID_BATCH_PAGES = 1 << 16;

  /** How long a budget is left alone after a scan that found nothing in it. */
  private record Rest(long nanos, long untilNanos) {}

  private final Shrinker shrinker;
  private final Consumer<Throwable> failed;

  /** By budget; only the reclaiming thread writes it. */
  private final Map<PageBudget, Rest> rests = new ConcurrentHashMap<>();

  private final Thread reclaiming;
  private final Thread serving;
  private final Thread auditing;

  /** Whether the auditing thread sleeps until a range is added. */
  private volatile boolean noRange;

  /** Whether the reclaiming thread sleeps until another thread wakes it. */
  private volatile boolean asleep;

  private volatile boolean open = true;

  private BackgroundReclaim(Shrinker shrinker, Consumer<Throwable> failed) {
    this.shrinker = shrinker;
    this.failed = failed;
    this.reclaiming = thread("pagetide-reclaim", this::reclaim);
    this.serving =
        thread("pagetide-waiters", () -> shrinker.allocationQueue().serveWhile(() -> open));
    AuditRounds rounds =
        new AuditRounds(
            shrinker.liveRanges(),
            shrinker.context(),
            shrinker.allocationQueue()::memoryCameBack,
            AuditRounds.PATIENCE_NANOS);
    this.auditing = thread("pagetide-audit", () -> audit(rounds));
  }

  private Thread thread(String name, Runnable work) {
    return Thread.ofPlatform().daemon().name(name).unstarted(() -> goOn(work));
  }

  /**
   * Works until the end, even after a failure, because without these threads uses would wait
   * without end, and strays would stay.
   */
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
   * Starts the threads.
   *
   * @param failed called with a bug in one of them; the thread goes on
   */
  public static BackgroundReclaim start(Shrinker shrinker, Consumer<Throwable> failed) {
    BackgroundReclaim background = new BackgroundReclaim(shrinker, failed);
    shrinker.whenAboveHighWatermark(background::wake);
    shrinker.whenRangeAdded(background::rangeAdded);
    background.reclaiming.start();
    background.serving.start();
    background.auditing.start();
    return background;
  }

  /** Called after each reservation above a high watermark. Cheap while the thread works. */
  private void wake(PageBudget full) {
    if (asleep && !isResting(full)) {
      LockSupport.unpark(reclaiming);
    }
  }

  private void reclaim() {
    while (open) {
      // ORDER: this thread sets asleep and then reads the charges; a reserving thread raises a
      // charge and then reads asleep. So at least one of them sees what the other did. A budget
      // that rests needs no wake, because this thread sleeps no longer than the rest.
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

  /**
   * Sleeps until the first rest is over, or until the charge of a budget that does not rest rises
   * above its mark.
   */
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
    LockSupport.parkNanos(this, nanos); // does not sleep if a rest has just ended
  }

  /** Reclaims until the charge is at the low watermark, or no page can be reclaimed. */
  private void reclaimToLow(PageBudget full) {
    boolean whole = full.isRoot();
    long low = shrinker.config().lowWatermarkPages(full);
    long above = full.chargedPages() - low;
    while (open && above > 0) {
      long batch = Math.min(whole ? BATCH_PAGES : UID_BATCH_PAGES, above);
      if (shrinker.scanAhead(batch, full).reclaimed() == 0) {
        // All pages that are left are in use, or spared. Clients stop pages without telling the
        // server.
        Rest last = rests.get(full);
        long pause = last == null ? MIN_PAUSE_NANOS : Math.min(2 * last.nanos, MAX_PAUSE_NANOS);
        rests.put(full, new Rest(pause, System.nanoTime() + pause));
        return;
      }
      above = full.chargedPages() - low;
    }
    rests.remove(full);
  }

  private void audit(AuditRounds rounds) {
    while (open) {
      long nanos = rounds.step();
      if (nanos == AuditRounds.UNTIL_ADDED) {
        sleepUntilRangeAdded();
      } else {
        LockSupport.parkNanos(this, nanos);
      }
    }
  }

  private void sleepUntilRangeAdded() {
    // ORDER: this thread sets noRange and then counts the ranges; another thread adds a range and
    // then reads noRange. So at least one of them sees what the other did.
    noRange = true;
    if (open && shrinker.liveRanges().rangeCount() == 0) {
      LockSupport.park(this);
    }
    noRange = false;
  }

  /** Called after a range was added. */
  private void rangeAdded() {
    if (noRange) {
      LockSupport.unpark(auditing);
    }
  }

  /** Ends the threads, and waits until they have finished what they began. */
  @Override
  public void close() {
    open = false;
    LockSupport.unpark(reclaiming);
    LockSupport.unpark(auditing);
    shrinker.allocationQueue().wake();
    try {
      reclaiming.join();
      serving.join();
      auditing.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
