package dev.pagetide.server.page;

import dev.pagetide.server.os.SystemCallException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One audit of one range: searches it for strays, which are memory that the server did not give,
 * and punches and counts what it finds.
 *
 * <p>Not for threads that serve RPCs, because the audit punches pages that a client filled by
 * itself. If there are no strays, it costs one fstat. Confined to one thread.
 */
/*
 * A client that has mapped its file gives a page memory by touching it. It can also do so by
 * fallocate(2), in ways that neither SEEK_DATA nor mincore(2) shows. But st_blocks shows all of the
 * memory, as a sum. If there are more blocks than header, table and bits account for, some page
 * without a bit has memory. Nothing tells which one, so every page without a bit is punched. The
 * server has given no client such a page: a request to use it sets the bit before it returns, and
 * for that it needs the lock, which we hold.
 *
 * What the audit cannot see: a client that has punched pages of its own hides as many strays. The
 * client pays for them, because the charge stays. And no request is given strays, because an
 * allocation punches first.
 *
 * LOCKS: as the shrinker, an audit without patience never queues behind an allocation and never
 * overtakes one that is queued: it calls tryLock, and only if no thread waits. It leaves a busy
 * range for the next round. The audit by time queues as an allocation does, for a short time.
 * Otherwise a client that allocates all the time would keep its strays. An audit punches at most
 * MAX_PAGES_PER_HOLD pages under one hold, and goes round the range at most once. So a client that
 * touches its pages all the time does not make the audit take longer than any other client does. A
 * caller on which others wait bounds the holds, too. It leaves the rest to the audit by time: see
 * AuditRounds.
 */
final class StrayAudit {
  /**
   * How often a caller on which others wait takes a range's lock to punch strays. One hold takes a
   * quarter of a ms.
   */
  static final int FEW_HOLDS = 4;

  private final ShrinkablePageRange range;
  private final long patienceNanos;

  /** The pages that are left to check until the audit has gone round the range once. */
  private int pagesLeft;

  /** An audit that has not begun, and does not wait for a busy range. */
  StrayAudit(ShrinkablePageRange range) {
    this(range, 0);
  }

  /**
   * An audit that has not begun.
   *
   * @param patienceNanos for how long it waits each time for the lock of a busy range; 0: not at
   *     all
   */
  StrayAudit(ShrinkablePageRange range, long patienceNanos) {
    this.range = range;
    this.patienceNanos = patienceNanos;
    this.pagesLeft = range.pageCount();
  }

  /** Audits the whole range, unless it is closing or busy. */
  static void run(ShrinkablePageRange range) {
    var _ = new StrayAudit(range).goOn(Integer.MAX_VALUE);
  }

  /** Whether an audit may find strays now. Without the lock, so it may be wrong both ways. */
  static boolean mayFind(ShrinkablePageRange range) {
    if (!range.entries().tryEnter()) {
      return false;
    }
    try {
      return range.pages().excess() > 0;
    } catch (SystemCallException e) {
      return false; // the next round looks again
    } finally {
      range.entries().leave();
    }
  }

  /** Whether the audit has ended: it found no strays any more, or has to leave the range alone. */
  boolean isOver() {
    return pagesLeft <= 0;
  }

  /**
   * Goes on with the audit.
   *
   * @param mostHolds how often to take the range's lock at most
   * @return how often it tried to take it; 0 if there are no strays
   */
  int goOn(int mostHolds) {
    if (!range.entries().tryEnter()) {
      pagesLeft = 0;
      return 0;
    }
    int holds = 0;
    boolean goesOn = false;
    try {
      goesOn = pagesLeft > 0 && range.pages().excess() > 0;
      if (goesOn) {
        range.context().hugePages().refreshNow(); // because it decides whether the host gave them
      }
      while (goesOn && holds < mostHolds) {
        int checked = punchUnderOneHold();
        holds++;
        pagesLeft -= checked;
        goesOn = checked > 0 && pagesLeft > 0 && !range.isClosed();
      }
    } catch (SystemCallException e) {
      goesOn = false; // The kernel refused. The next round finds what is left.
    } finally {
      range.entries().leave();
    }
    if (!goesOn) {
      pagesLeft = 0;
    }
    return holds;
  }

  /** Returns how many pages were checked; 0 if there are no strays, or if the range is busy. */
  private int punchUnderOneHold() throws SystemCallException {
    ResidentPages pages = range.pages();
    if (!tryLock(pages.lock)) {
      return 0;
    }
    try {
      return pages.punchStrays(pagesLeft);
    } finally {
      pages.lock.unlock();
    }
  }

  private boolean tryLock(ReentrantLock lock) {
    if (patienceNanos == 0) {
      return !lock.hasQueuedThreads() && lock.tryLock();
    }
    try {
      return lock.tryLock(patienceNanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
