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
 * One thread that watches the host and reclaims pages while memory is short. It waits for the
 * kernel's triggers, reads the other {@linkplain PressureKind sources} when they are due, and does
 * what their policies decide.
 *
 * <p>Thread-safe. {@link #close} waits for the thread to end, which finishes a scan under way
 * first.
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
   * Finds the sources that the host has, and starts the thread. {@link #missing} has the others.
   *
   * @throws SystemCallException if the kernel refuses even the descriptor that wakes the thread
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

  /** A live view of the sources that this host lacks now, each with the reason. */
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
        LockSupport.parkNanos(this, wait); // otherwise the loop would fail without a pause
      }
    }
  }

  private static int millis(long nanos) {
    // Round up, because poll counts whole milliseconds, and 0 would not wait at all.
    long millis = TimeUnit.NANOSECONDS.toMillis(nanos) + (nanos % 1_000_000 == 0 ? 0 : 1);
    return (int) Math.min(millis, Integer.MAX_VALUE);
  }

  private static Set<StallTrigger> triggers(BitSet numbers) {
    Set<StallTrigger> fired = EnumSet.noneOf(StallTrigger.class);
    numbers.stream().forEach(number -> fired.add(StallTrigger.MILDEST_FIRST.get(number)));
    return fired;
  }

  /** Ends the thread and disarms all triggers. Only the first call does anything. */
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
