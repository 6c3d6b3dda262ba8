package dev.pagetide.server.page;

import dev.pagetide.server.os.SystemCallException;

/**
 * Searches one range for strays, which are memory that the server did not give. Punches and counts
 * what it finds.
 *
 * <p>Not for threads that serve RPCs, because the audit punches all of a range that a client filled
 * by itself. If there are no strays, it costs one fstat.
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
 * LOCKS: as the shrinker, the audit never queues behind an allocation and never overtakes one that
 * is queued: it calls tryLock, and only if no thread waits. It leaves a busy range for the next
 * round. It punches at most MAX_PAGES_PER_HOLD pages under one hold, and goes round the range at
 * most once. So a client that touches its pages all the time does not make the audit take longer
 * than any other client does.
 */
final class StrayAudit {
  private StrayAudit() {}

  /** Audits the range, unless it is closing or busy. */
  static void run(ShrinkablePageRange range) {
    if (!range.entries().tryEnter()) {
      return;
    }
    try {
      if (range.pages().excess() > 0) {
        range.context().hugePages().refreshNow(); // because it decides whether the host gave them
        punchAllRound(range);
      }
    } catch (SystemCallException e) {
      // The kernel refused. The next round finds what is left.
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
