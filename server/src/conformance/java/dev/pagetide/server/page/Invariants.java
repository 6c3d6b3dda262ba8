package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.os.SystemCallException;
import java.util.ArrayList;
import java.util.List;

/**
 * What must hold of ranges, budget and counters whenever nothing runs: every page is counted once,
 * and bits, budget, counters and the kernel tell of the same memory.
 */
public final class Invariants {
  private Invariants() {}

  /** Checks all open ranges, on the assumption that no client brought strays. */
  public static void check(PageBudget budget, Shrinker shrinker, List<ShrinkablePageRange> ranges) {
    long dataPages = 0;
    long available = 0;
    List<ShrinkablePageRange> open = new ArrayList<>();
    for (ShrinkablePageRange range : ranges) {
      if (!range.isClosed()) {
        open.add(range);
        checkPages(range);
        dataPages += range.pages().count();
        available += range.counts().available();
      }
    }
    checkCharges(budget, open);
    open.forEach(range -> checkCharges(range.budget(), open));
    assertThat(shrinker.count()).as("sum of AVAILABLE pages").isEqualTo(available);
    PageCounters counters = shrinker.counters();
    assertThat(counters.allocated() - counters.reclaimed() - counters.closed())
        .as("allocated - reclaimed - closed")
        .isEqualTo(dataPages);
  }

  private static void checkPages(ShrinkablePageRange range) {
    PageCounts counts = range.counts();
    int bits = 0;
    for (int page = 0; page < range.pageCount(); page++) {
      if (range.pages().isResident(page)) {
        bits++;
      }
    }
    assertThat(range.pages().count()).as("set bits of %s", range).isEqualTo(bits);
    assertThat(residentPages(range) - range.file().layout().bookkeepingPages())
        .as("resident data pages of %s", range)
        .isEqualTo(bits);
    assertThat(counts.free() + counts.available() + counts.used())
        .as("pages in any state of %s", range)
        .isEqualTo(range.pageCount());
    assertThat(counts.available() + counts.used()).as("held pages of %s", range).isEqualTo(bits);
    assertThat(counts.contradictions()).as("contradictions of %s", range).isZero();
    assertThat(range.pages().lock.isLocked()).as("lock of %s", range).isFalse();
  }

  private static void checkCharges(PageBudget budget, List<ShrinkablePageRange> open) {
    long resident = 0;
    for (ShrinkablePageRange range : open) {
      if (range.budget().isWithin(budget)) {
        resident += residentPages(range);
      }
    }
    assertThat(budget.chargedPages()).as("charge of %s", budget).isEqualTo(resident);
    assertThat(budget.chargedPages()).isLessThanOrEqualTo(budget.limitPages());
  }

  /** What the kernel says of a range's file, header and table included. */
  static long residentPages(ShrinkablePageRange range) {
    try {
      return range.file().residentPages();
    } catch (SystemCallException e) {
      throw new AssertionError("fstat failed", e);
    }
  }
}
