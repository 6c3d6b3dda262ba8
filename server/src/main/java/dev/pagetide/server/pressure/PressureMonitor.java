package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.KernelEvents;
import dev.pagetide.server.os.SystemCallException;
import java.util.BitSet;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * One thread that listens to the host and takes pages back while memory is short: it waits for the
 * kernel's triggers, asks the other {@linkplain PressureKind sources} at their times, and does what
 * their policies decide.
 *
 * <p>Thread-safe. {@link #close} waits for the thread to end; a scan under way is finished first.
 */
public final class PressureMonitor implements AutoCloseable {
  private final PressureSources sources;
  private final KernelEvents events;
  private final PressureRounds rounds;
  private final PageClock clock;
  private final Thread thread;
  private volatile boolean ending;

  private PressureMonitor(
      PressureSources sources,
      KernelEvents events,
      ReclaimablePages pages,
      boolean dryRun,
      PageClock clock,
      PressureObserver observer) {
    this.sources = sources;
    this.events = events;
    this.clock = clock;
    this.rounds =
        new PressureRounds(
            sources.present(),
            sources.missing(),
            pages,
            dryRun,
            observer,
            clock.nanos(),
            () -> ending);
    this.thread = Thread.ofPlatform().name("pagetide-pressure").daemon().unstarted(this::listen);
  }

  /**
   * Looks for what the host has, and starts to listen. What it does not have is {@link #missing}.
   *
   * @throws SystemCallException if not even a descriptor to be woken by can be had
   */
  public static PressureMonitor start(
      PressureConfig config, ReclaimablePages pages, PageClock clock, PressureObserver observer)
      throws SystemCallException {
    KernelEvents events = KernelEvents.open();
    PressureMonitor monitor =
        new PressureMonitor(
            PressureSources.find(config, events, pages::count, clock.nanos()),
            events,
            pages,
            config.dryRun(),
            clock,
            observer);
    monitor.thread.start();
    return monitor;
  }

  /** The sources that this host does not have now, each with the reason: a live view. */
  public Map<PressureKind, String> missing() {
    return Collections.unmodifiableMap(sources.missing());
  }

  private void listen() {
    while (!ending) {
      long wait = rounds.waitNanos(clock.nanos());
      try {
        Set<StallTrigger> fired = triggers(events.await(millis(wait)));
        rounds.run(clock.nanos(), fired);
      } catch (SystemCallException e) {
        rounds.tellFailure(PressureKind.PSI, e);
        LockSupport.parkNanos(this, wait); // or it would fail as fast as it can
      }
    }
  }

  private static int millis(long nanos) {
    // Rounded up: poll knows no less than a millisecond, and 0 would not wait at all.
    long millis = TimeUnit.NANOSECONDS.toMillis(nanos) + (nanos % 1_000_000 == 0 ? 0 : 1);
    return (int) Math.min(millis, Integer.MAX_VALUE);
  }

  private static Set<StallTrigger> triggers(BitSet numbers) {
    Set<StallTrigger> fired = EnumSet.noneOf(StallTrigger.class);
    numbers.stream().forEach(number -> fired.add(StallTrigger.MILDEST_FIRST.get(number)));
    return fired;
  }

  /** Ends the thread and disarms everything; only the first call does anything. */
  @Override
  public synchronized void close() {
    if (ending) {
      return;
    }
    ending = true;
    events.wake();
    LockSupport.unpark(thread);
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    events.close();
    sources.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
