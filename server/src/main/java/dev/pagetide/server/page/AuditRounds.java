package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageClock;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The audit by time: finds and takes the strays of all ranges, whether or not any client calls and
 * whether or not the server scans.
 *
 * <p>Confined to one thread, which calls {@link #step} and pauses for as long as that says.
 */
/*
 * One round looks at every range, which costs one fstat each. A range with strays gets a turn: it
 * is audited a few holds of its lock at a time, in turn with the others, once round. It gets
 * another turn in a later round. So a client that touches its pages all the time costs the server
 * at most one punch of each of its pages a round, and never keeps the strays of another client from
 * being found: a round begins in time, also while turns are left.
 */
final class AuditRounds {
  /**
   * The time between two rounds. Within it, each range is looked at. The taking comes later while
   * many ranges have strays: each has a turn of a ms, and then the audit rests as long. Shorter
   * would gain little: a client can touch its pages again at once. A round costs 0.3 us for each
   * range.
   */
  static final long ROUND_NANOS = TimeUnit.SECONDS.toNanos(2);

  /**
   * For how long the audit waits for the lock of a busy range: for some allocations, each of which
   * holds it a quarter of a ms. A lock that is held for longer is for the next round. No more
   * ranges are busy at a time than there are workers.
   */
  static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** The pause if there is no range: until one is added. */
  static final long UNTIL_ADDED = Long.MAX_VALUE;

  private final LiveRanges ranges;
  private final PageCounters counters;
  private final PageClock clock;
  private final Runnable strayTaken;
  private final long patienceNanos;

  /** The audits of ranges with strays that are not over, in the order of their turns. */
  private final LinkedHashMap<ShrinkablePageRange, StrayAudit> turns = new LinkedHashMap<>();

  private long nextRoundNanos;

  /**
   * Before the first round, which is due.
   *
   * @param strayTaken called after strays were taken
   * @param patienceNanos for how long to wait for the lock of a busy range
   */
  AuditRounds(LiveRanges ranges, PageContext context, Runnable strayTaken, long patienceNanos) {
    this.patienceNanos = patienceNanos;
    this.ranges = ranges;
    this.counters = context.counters();
    this.clock = context.clock();
    this.strayTaken = strayTaken;
    this.nextRoundNanos = clock.nanos();
  }

  /**
   * Does a part of the work that is due: looks at all ranges if a round is due, and goes on with
   * the audit that has the turn.
   *
   * @return for how long to pause then. While there is work left, it is as long as the step took,
   *     so that the audit takes at most half of one processor
   * @throws RuntimeException what was thrown first, if one or more ranges failed; the others were
   *     looked at nevertheless
   */
  long step() {
    long start = clock.nanos();
    if (turns.isEmpty() && ranges.rangeCount() == 0) {
      return UNTIL_ADDED;
    }
    if (nextRoundNanos - start <= 0) {
      nextRoundNanos = start + ROUND_NANOS;
      look();
    }
    Map.Entry<ShrinkablePageRange, StrayAudit> first = turns.pollFirstEntry();
    if (first != null) {
      goOn(first.getKey(), first.getValue());
    }
    long end = clock.nanos();
    return turns.isEmpty() ? Math.max(0, nextRoundNanos - end) : end - start;
  }

  /** Gives each range with strays a turn, unless it has one. */
  private void look() {
    Throwable failure = null;
    for (ShrinkablePageRange range : ranges.all()) {
      try {
        if (!turns.containsKey(range) && StrayAudit.mayFind(range)) {
          turns.put(range, new StrayAudit(range, patienceNanos));
        }
      } catch (RuntimeException | Error e) {
        failure = failure == null ? e : failure;
      }
    }
    switch (failure) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      case null, default -> counters.auditRound(); // it has looked at all
    }
  }

  private void goOn(ShrinkablePageRange range, StrayAudit audit) {
    long before = counters.allStrays();
    var _ = audit.goOn(StrayAudit.FEW_HOLDS); // what throws loses its turn
    if (!audit.isOver()) {
      turns.put(range, audit);
    }
    if (counters.allStrays() > before) {
      strayTaken.run();
    }
  }
}
