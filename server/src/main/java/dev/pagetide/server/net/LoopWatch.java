package dev.pagetide.server.net;

import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Watches whether the event loops of this server still take their turns.
 *
 * <p>Once a second a thread that is no loop gives each loop a task that does nothing. A loop that
 * has not run it yet is stalled, for as long as the task has waited: something on it takes long, or
 * waits in the kernel, and no connection of that loop is served.
 *
 * <p>Thread-safe.
 */
public final class LoopWatch implements AutoCloseable {
  private static final long ASK_EVERY_SECONDS = 1;

  /** How long a stall is told after its end. */
  static final long TOLD_FOR_SECONDS = 60;

  private static final long TOLD_FOR_NANOS = TimeUnit.SECONDS.toNanos(TOLD_FOR_SECONDS);

  private final List<Watched> loops = new CopyOnWriteArrayList<>();
  private final LongSupplier nanos;
  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("pagetide-loop-watch").factory());

  private LoopWatch(LongSupplier nanos) {
    this.nanos = nanos;
  }

  /** Starts the thread. It watches no loop yet. */
  public static LoopWatch start() {
    LoopWatch watch = new LoopWatch(System::nanoTime);
    var _ =
        watch.timer.scheduleWithFixedDelay(
            watch::ask, ASK_EVERY_SECONDS, ASK_EVERY_SECONDS, TimeUnit.SECONDS);
    return watch;
  }

  /** As {@link #start}, but asks only when a test tells it to, by a clock of the test's. */
  static LoopWatch withoutTimer(LongSupplier nanos) {
    return new LoopWatch(nanos);
  }

  /** One loop, and since when it owes an answer. */
  private static final class Watched {
    private final EventExecutor loop;
    private volatile boolean asked;
    private volatile long sinceNanos;

    /** The longest stall of the last minute that is over, and when it ended. */
    private volatile Stall longest = new Stall(0, 0);

    Watched(EventExecutor loop) {
      this.loop = loop;
    }

    /** On the loop's thread. */
    void answer(long nowNanos) {
      Stall stall = new Stall(nowNanos - sinceNanos, nowNanos);
      Stall before = longest;
      if (stall.nanos() >= before.nanos() || before.isPast(nowNanos)) {
        longest = stall;
      }
      asked = false;
    }
  }

  /** A stall that is over. */
  private record Stall(long nanos, long endNanos) {
    /** Whether it is no longer to be told. */
    boolean isPast(long nowNanos) {
      return nowNanos - endNanos > TOLD_FOR_NANOS;
    }
  }

  /** Watches loops until this is closed. */
  public void watch(Iterable<EventExecutor> group) {
    group.forEach(loop -> loops.add(new Watched(loop)));
  }

  /** Gives each loop that owes nothing its next task. */
  void ask() {
    for (Watched watched : loops) {
      if (!watched.asked) {
        watched.sinceNanos = nanos.getAsLong();
        watched.asked = true;
        try {
          watched.loop.execute(() -> watched.answer(nanos.getAsLong()));
        } catch (RejectedExecutionException e) {
          watched.asked = false; // the loop has ended
        }
      }
    }
  }

  /**
   * The longest stall, in seconds, of those that go on and of those that ended less than {@link
   * #TOLD_FOR_SECONDS} ago; 0 if no loop was asked yet. A reader that comes once a minute misses
   * none.
   */
  public double longestStallSeconds() {
    long now = nanos.getAsLong();
    long longest = 0;
    for (Watched watched : loops) {
      // ORDER: asked is written after sinceNanos, and read before it.
      if (watched.asked) {
        longest = Math.max(longest, now - watched.sinceNanos);
      }
      Stall over = watched.longest;
      if (!over.isPast(now)) {
        longest = Math.max(longest, over.nanos());
      }
    }
    return (double) longest / TimeUnit.SECONDS.toNanos(1);
  }

  /** Asks no loop any more. */
  @Override
  public void close() {
    timer.shutdownNow();
  }
}
