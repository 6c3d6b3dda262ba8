package dev.pagetide.server.pressure;

import dev.pagetide.server.page.ReclaimTerms;
import dev.pagetide.server.page.ReclaimTrigger;
import dev.pagetide.server.page.Shrinker;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * The two threads that see to memory while nobody asks for it: one reclaims between the watermarks,
 * ahead of need, as the kernel's kswapd does; the other serves those who wait.
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

  private final Shrinker shrinker;
  private final Consumer<Throwable> failed;
  private final long low;
  private final long high;
  private final Thread reclaiming;
  private final Thread serving;

  /** Whether the reclaiming thread sleeps until it is told. */
  private volatile boolean asleep;

  private volatile boolean open = true;

  private BackgroundReclaim(Shrinker shrinker, Consumer<Throwable> failed) {
    this.shrinker = shrinker;
    this.failed = failed;
    ReclaimTerms terms = shrinker.terms();
    this.low = terms.lowWatermarkPages();
    this.high = terms.highWatermarkPages();
    this.reclaiming = thread("pagetide-reclaim", this::reclaim);
    this.serving = thread("pagetide-waiters", () -> shrinker.waitingLine().serveWhile(() -> open));
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

  /** Called after each reservation above the high watermark: cheap while the thread is at work. */
  private void wake() {
    if (asleep) {
      LockSupport.unpark(reclaiming);
    }
  }

  private void reclaim() {
    long pause = MIN_PAUSE_NANOS;
    while (open) {
      sleepWhileLow();
      if (!open) {
        return;
      }
      if (reclaimToLow()) {
        pause = MIN_PAUSE_NANOS;
      } else {
        // All that is left is in use, or spared. Clients stop pages without a word to us.
        LockSupport.parkNanos(this, pause);
        pause = Math.min(2 * pause, MAX_PAUSE_NANOS);
      }
    }
  }

  private void sleepWhileLow() {
    // ORDER: asleep is set before the charge is read, and read after it has risen: one sees the
    // other.
    asleep = true;
    while (open && shrinker.chargedPages() <= high) {
      LockSupport.park(this);
    }
    asleep = false;
  }

  /** Reclaims until the charge is at the low watermark; false if pages could not be had. */
  private boolean reclaimToLow() {
    long above = shrinker.chargedPages() - low;
    while (open && above > 0) {
      long batch = Math.min(BATCH_PAGES, above);
      if (shrinker.scanFairly(batch, ReclaimTrigger.WATERMARK).reclaimed() == 0) {
        return false;
      }
      above = shrinker.chargedPages() - low;
    }
    return true;
  }

  /** Ends both threads, and waits for what they have begun. */
  @Override
  public void close() {
    open = false;
    LockSupport.unpark(reclaiming);
    shrinker.waitingLine().wake();
    try {
      reclaiming.join();
      serving.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
