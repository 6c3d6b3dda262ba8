package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the monitor does each time it wakes: it reads the sources that are due, reclaims the pages
 * that they ask for, and notifies the observer. For one thread. The caller passes the time.
 *
 * <p>If a source or a reclaim fails, this notifies the observer and tries again later. The other
 * sources get their turn.
 */
final class PressureRounds {
  /**
   * Most pages that one scan takes. At some 0.7 us a page a scan takes less than a millisecond. So
   * a server that stops, and requests that wait for a range, do not wait for a million pages.
   */
  static final long BATCH_PAGES = 1024;

  /**
   * How long to pause a source after a scan for it found no page. A scan that finds no page walks
   * all page tables, and so does the count of a dry run. With this pause, pages that are stopped
   * meanwhile are still reclaimed within 100 ms.
   */
  static final long EMPTY_PAUSE_NANOS = Duration.ofMillis(75).toNanos();

  /** A source, the time of its next reading, and the result of the last one. */
  private static final class Turn {
    private final PressureSource source;
    private long dueNanos;
    private PressureLevel toldLevel = PressureLevel.NONE;

    /** Pages that a dry run has reported since the source's pressure began. */
    private long pretended;

    Turn(PressureSource source, long dueNanos) {
      this.source = source;
      this.dueNanos = dueNanos;
    }
  }

  private final List<Turn> turns = new ArrayList<>();
  private final Map<PressureKind, String> missing;
  private final ReclaimablePages pages;
  private final boolean dryRun;
  private final PressureObserver observer;
  private final BooleanSupplier ending;

  /**
   * Rounds of some sources.
   *
   * @param missing the sources that the host lacks, with the reasons; kept up to date from now on
   * @param nowNanos the time at which each source is first due
   * @param ending whether to stop between two scans
   */
  PressureRounds(
      List<PressureSource> sources,
      Map<PressureKind, String> missing,
      ReclaimablePages pages,
      boolean dryRun,
      PressureObserver observer,
      long nowNanos,
      BooleanSupplier ending) {
    for (PressureSource source : sources) {
      turns.add(new Turn(source, nowNanos));
    }
    this.missing = missing;
    this.pages = pages;
    this.dryRun = dryRun;
    this.observer = observer;
    this.ending = ending;
  }

  /** How long until a source is due; 0 if one is; {@link Long#MAX_VALUE} without sources. */
  long waitNanos(long nowNanos) {
    long least = Long.MAX_VALUE;
    for (Turn turn : turns) {
      least = Math.min(least, Math.max(0, turn.dueNanos - nowNanos));
    }
    return least;
  }

  /** Reads every source that is due, and that of the triggers if some of them fired. */
  void run(long nowNanos, Set<StallTrigger> fired) {
    for (Turn turn : turns) {
      boolean rung = turn.source.kind() == PressureKind.PSI && !fired.isEmpty();
      if (rung || turn.dueNanos - nowNanos <= 0) {
        turn.dueNanos = nowNanos + turn.source.periodNanos();
        try {
          take(turn, nowNanos, rung ? fired : Set.of());
        } catch (Exception | Error e) {
          // Catch everything, also bugs: without this thread the server would miss the next
          // shortage.
          tellFailure(turn.source.kind(), e);
        }
      }
    }
  }

  /** Reads a source, and notifies the observer if the host lost it or has it again. */
  private @Nullable PressureDecision ask(Turn turn, long nowNanos, Set<StallTrigger> fired)
      throws IOException {
    String why = "it could not be read";
    try {
      PressureDecision decision = turn.source.ask(nowNanos, fired);
      why = turn.source.missing();
      return decision;
    } catch (IOException e) {
      why = String.valueOf(e.getMessage());
      throw e;
    } finally {
      notePresence(turn.source.kind(), why);
    }
  }

  private void notePresence(PressureKind source, @Nullable String why) {
    String before = why == null ? missing.remove(source) : missing.put(source, why);
    if ((before == null) != (why == null)) {
      observer.presenceChanged(source, why);
    }
  }

  /** Notifies the observer of a failure. If the observer fails itself, this goes on. */
  void tellFailure(PressureKind source, Throwable cause) {
    try {
      observer.failed(source, cause);
    } catch (RuntimeException e) {
      cause.addSuppressed(e); // there is no other observer to notify
    }
  }

  private void take(Turn turn, long nowNanos, Set<StallTrigger> fired) throws Exception {
    PressureDecision decision = ask(turn, nowNanos, fired);
    IOException trouble = turn.source.trouble();
    if (trouble != null) {
      tellFailure(turn.source.kind(), trouble);
    }
    PressureLevel level = turn.source.level();
    if (level != PressureLevel.NONE) {
      tell(turn, level);
    }
    if (decision != null) {
      if (dryRun) {
        pretend(turn, decision);
      }
      if (dryRun || reclaim(decision) == 0) {
        turn.dueNanos = nowNanos + Math.max(EMPTY_PAUSE_NANOS, turn.source.periodNanos());
      }
    }
    if (level == PressureLevel.NONE) {
      tell(turn, level); // last, so that an episode's pages are reported before its end
    }
  }

  private void tell(Turn turn, PressureLevel level) {
    if (level != turn.toldLevel) {
      turn.toldLevel = level;
      observer.levelChanged(turn.source.kind(), level);
    }
    if (level == PressureLevel.NONE) {
      turn.pretended = 0;
    }
  }

  private long reclaim(PressureDecision decision) {
    ReclaimTrigger trigger = decision.trigger();
    long reclaimed = 0;
    while (reclaimed < decision.pages() && !ending.getAsBoolean()) {
      long batch = pages.reclaim(Math.min(BATCH_PAGES, decision.pages() - reclaimed), trigger);
      reclaimed += batch;
      if (batch == 0) {
        break;
      }
    }
    observer.decided(trigger, decision.level(), decision.pages(), reclaimed, /* dryRun= */ false);
    return reclaimed;
  }

  /**
   * Reports the pages that would be taken. A source that measures a shortfall would report the same
   * pages again and again, because a dry run takes none. So for such a source this reports only
   * what exceeds the pages reported before.
   */
  private void pretend(Turn turn, PressureDecision decision) {
    long wouldTake = Math.min(decision.pages(), pages.count());
    boolean shortfall = turn.source.kind() != PressureKind.PSI;
    long told = shortfall ? wouldTake - turn.pretended : wouldTake;
    if (told > 0) {
      turn.pretended += told;
      observer.decided(
          decision.trigger(), decision.level(), told, /* reclaimed= */ 0, /* dryRun= */ true);
    }
  }
}
