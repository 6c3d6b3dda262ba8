package dev.pagetide.server.page;

import dev.pagetide.server.os.SystemCallException;

/**
 * A look at one range for strays, memory that the server did not give; what it finds is punched and
 * counted.
 *
 * <p>Not for threads that serve RPCs: a client that filled its range behind the server's back makes
 * it punch all of it. Where there is nothing to find it costs one fstat.
 */
/*
 * A client that has mapped its file gives a page memory by touching it, and by fallocate(2) in ways
 * that neither SEEK_DATA nor mincore(2) shows. But st_blocks shows all of it, as a sum: more blocks
 * than header, table and bits account for means that some page without a bit holds memory. Which
 * one it is nobody tells, so every page without a bit is punched. Such a page is in nobody's hands:
 * a use sets the bit before it returns, and that needs the lock that we hold.
 *
 * What it cannot see: a client that has punched pages of its own hides as many strays. It pays for
 * them, since the charge stays; and no use is handed them, because an allocation punches first.
 *
 * LOCKS: as the shrinker, never behind an allocation and never past one that is queued: tryLock,
 * and only if nobody waits. A busy range is left for the next round. At most MAX_PAGES_PER_HOLD
 * pages are punched under one hold, and one audit goes once round the range at most, so a client
 * that touches its pages all the time keeps it no longer than any other.
 */
final class StrayAudit {
  private StrayAudit() {}

  /** Looks, unless the range is closing or busy. */
  static void run(ShrinkablePageRange range) {
    if (!range.entries().tryEnter()) {
      return;
    }
    try {
      if (range.pages().excess() > 0) {
        range.context().hugePages().refreshNow(); // because it decides whose they are
        punchAllRound(range);
      }
    } catch (SystemCallException e) {
      // The kernel refused: what is left is there to be found in the next round.
    } finally {
      range.entries().leave();
    }
  }

  private static void punchAllRound(ShrinkablePageRange range) throws SystemCallException {
    ResidentPages pages = range.pages();
    int left = range.pageCount();
    while (left > 0 && !range.isClosed()) {
      if (pages.lock.hasQueuedThreads() || !pages.lock.tryLock()) {
        return;
      }
      int lookedAt;
      try {
        lookedAt = pages.punchStrays(left);
      } finally {
        pages.lock.unlock();
      }
      if (lookedAt == 0) {
        return;
      }
      left -= lookedAt;
    }
  }
}
