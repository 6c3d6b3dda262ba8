package dev.pagetide.server.page;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * The audit before a request is refused because the host, and not the budget, lacks memory. Strays
 * are outside the budget, but they take memory from the host.
 *
 * <p>Thread-safe. A caller may be inside a range, and must hold no lock.
 */
/*
 * A client that is refused all the time, and touches its pages all the time, must not make each
 * refusal cost an audit of all ranges. So there is one audit at a time, its holds are bounded, and
 * the next one does not begin before a pause. A request that comes during an audit waits for it,
 * and shares what it found. What the holds do not suffice for, the audit by time takes.
 *
 * LOCKS: under this lock the locks of ranges are tried, and never waited for, and the settings of
 * huge pages are read, under a monitor that is a leaf.
 */
final class AuditBeforeRefusal {
  /** The shortest time from one such audit to the next. */
  static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** The most holds of ranges' locks in one audit. They take 16 ms, and 64 MiB. */
  private static final int MAX_HOLDS = 64;

  private final PageContext context;
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private long dueNanos;

  /** The range at which the next audit begins: the one after those audited last. */
  @GuardedBy("lock")
  private int next;

  /** The first audit is due. */
  AuditBeforeRefusal(PageContext context) {
    this.context = context;
    this.dueNanos = context.clock().nanos();
  }

  /**
   * Audits ranges until there is enough memory, if an audit is due.
   *
   * @param enough called after strays of a range were punched
   * @return whether strays were taken since this was called, by any thread; then it is worth trying
   *     again
   */
  boolean takes(Collection<ShrinkablePageRange> ranges, BooleanSupplier enough) {
    PageCounters counters = context.counters();
    long before = counters.allStrays();
    boolean locked = false;
    try {
      locked = lock.tryLock(PAUSE_NANOS, TimeUnit.NANOSECONDS);
      if (locked && dueNanos - context.clock().nanos() <= 0) {
        audit(new ArrayList<>(ranges), enough);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      if (locked) {
        lock.unlock();
      }
    }
    return counters.allStrays() > before;
  }

  @GuardedBy("lock")
  private void audit(List<ShrinkablePageRange> ranges, BooleanSupplier enough) {
    try {
      int holds = 0;
      for (int looked = 0; looked < ranges.size() && holds < MAX_HOLDS; looked++) {
        ShrinkablePageRange range = ranges.get(Math.floorMod(next, ranges.size()));
        next++;
        int held = new StrayAudit(range).goOn(MAX_HOLDS - holds);
        holds += held;
        if (held > 0 && enough.getAsBoolean()) {
          return;
        }
      }
    } finally {
      dueNanos = context.clock().nanos() + PAUSE_NANOS;
    }
  }
}
