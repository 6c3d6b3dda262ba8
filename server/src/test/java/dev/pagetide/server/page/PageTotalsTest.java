package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import org.junit.jupiter.api.Test;

/** The fullest of the budgets that the ranges of a uid share. A range's header and table: 2. */
final class PageTotalsTest {
  private static final long UID_PAGES = 200;

  @Test
  void totals_severalUids_tellTheFullestOfEachKindAndAllPages() {
    try (TestRanges ranges = TestRanges.withBudget(1000)) {
      PageBudget idle = uid(ranges);
      PageBudget busy = uid(ranges);
      fill(ranges, idle, 158, 158);
      fill(ranges, busy, 48, 0);
      fill(ranges, busy, 48, 0);

      PageTotals totals = ranges.shrinker.totals();

      assertThat(totals.fullestResident()).as("of the idle one").isEqualTo(160 / 200.0);
      assertThat(totals.fullestCommitted()).as("of the busy one").isEqualTo(100 / 200.0);
      assertThat(totals.pages()).isEqualTo(new PageCounts(3 * 256 - 254, 158, 96, 0));
    }
  }

  @Test
  void totals_limitAsWideAsTheServers_isNoUidsOwn() {
    try (TestRanges ranges = TestRanges.withBudget(UID_PAGES)) {
      fill(ranges, uid(ranges), 158, 0);

      PageTotals totals = ranges.shrinker.totals();

      assertThat(totals.fullestResident()).isZero();
      assertThat(totals.fullestCommitted()).isZero();
      assertThat(totals.pages().used()).isEqualTo(158);
    }
  }

  @Test
  void totals_noRanges_areNone() {
    try (TestRanges ranges = TestRanges.withBudget(1000)) {
      assertThat(ranges.shrinker.totals()).isEqualTo(PageTotals.NONE);
    }
  }

  private static PageBudget uid(TestRanges ranges) {
    return ranges.budget.sharedChild("--max-resident-bytes-per-uid", UID_PAGES);
  }

  private static void fill(TestRanges ranges, PageBudget uid, int used, int stopped) {
    ShrinkablePageRange range =
        ranges.open(256, uid.child("--max-resident-bytes-per-session", UID_PAGES));
    range.useRange(0, used);
    range.stopUsingRange(0, stopped);
  }
}
