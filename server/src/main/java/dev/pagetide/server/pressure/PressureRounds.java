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
 * What the monitor does each time it wakes: asks the sources whose time has come, takes the pages
 * they ask for, and tells the observer. For one thread; the time comes in.
 *
 * <p>A source that fails, or a reclaim, is told and tried again; the others get their turn.
 */
final class PressureRounds {
  /**
   * Pages taken by one scan: with some 0.7 us a page a scan is over in a millisecond, so that a
   * server that stops, and uses that wait for a range, do not wait for a million pages.
   */
  static final long BATCH_PAGES = 1024;

  /**
   * How long a source that found nothing to take is left alone: a scan that finds nothing walks all
   * page tables, as does the count of a dry run, and what is stopped meanwhile is still answered
   * within 100 ms.
   */
  static final long EMPTY_PAUSE_NANOS = Duration.ofMillis(75).toNanos();

  /** A source, when it is asked next, and what became of the last answer. */
  private static final class Turn {
    private final PressureSource source;
    private long dueNanos;
    private PressureLevel toldLevel = PressureLevel.NONE;

    /** Pages that a dry run has told of since the source began to press. */
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
   * @param missing those that the host does not have, with the reasons; kept true from now on
   * @param nowNanos when each is due first
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

  /** Asks every source that is due, and that of the triggers if some fired. */
  void run(long nowNanos, Set<StallTrigger> fired) {
    for (Turn turn : turns) {
      boolean rung = turn.source.kind() == PressureKind.PSI && !fired.isEmpty();
      if (rung || turn.dueNanos - nowNanos <= 0) {
        turn.dueNanos = nowNanos + turn.source.periodNanos();
        try {
          take(turn, nowNanos, rung ? fired : Set.of());
        } catch (Exception | Error e) {
          // Whatever it was, also a bug: without this thread the host's next call goes unheard.
          tellFailure(turn.source.kind(), e);
        }
      }
    }
  }

  /** Asks a source, and tells if the host has it no more, or has it again. */
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

  /** Tells of a failure; an observer that fails itself is left alone with it. */
  void tellFailure(PressureKind source, Throwable cause) {
    try {
      observer.failed(source, cause);
    } catch (RuntimeException e) {
      cause.addSuppressed(e); // nobody is left to be told
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
      tell(turn, level); // last, so that an episode's pages are told within it
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
   * Tells what would be taken. A source that tells its shortfall would tell the same again until
   * the end, because nothing is taken: so only what goes beyond what was told counts.
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
