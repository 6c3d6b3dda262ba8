package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * How the pages of all ranges stand, and how full the fullest of the budgets is that the ranges of
 * one uid share: a uid with a limit of its own is refused there, however much the server has left.
 *
 * @param pages of all ranges, by state
 * @param fullestResident the charge of the uid that is nearest to its limit, as a part of that
 *     limit: from 0 to 1; 0 where no uid has a limit that is narrower than the server's
 * @param fullestCommitted the same of what no scan can take: USED pages, headers and tables. It may
 *     be another uid's
 */
public record PageTotals(PageCounts pages, double fullestResident, double fullestCommitted) {
  /** As they were before anything was looked at. */
  public static final PageTotals NONE = new PageTotals(PageCounts.NONE, 0, 0);

  /** Walks all page tables: some ms a million pages. */
  static PageTotals of(Collection<ShrinkablePageRange> ranges) {
    PageCounts total = NONE.pages;
    Map<PageBudget, Long> available = new HashMap<>();
    for (ShrinkablePageRange range : ranges) {
      PageCounts counts = range.counts();
      total = total.plus(counts);
      PageBudget uid = range.budget().shared();
      if (uid.isLimitOfItsOwn()) {
        available.merge(uid, counts.available(), Long::sum);
      }
    }
    double resident = 0;
    double committed = 0;
    for (Map.Entry<PageBudget, Long> uid : available.entrySet()) {
      PageBudget budget = uid.getKey();
      long charged = budget.chargedPages();
      resident = Math.max(resident, part(charged, budget));
      // RACE: pages that were stopped or taken since they were counted: at least nothing is in use.
      committed = Math.max(committed, part(Math.max(0, charged - uid.getValue()), budget));
    }
    return new PageTotals(total, resident, committed);
  }

  private static double part(long pages, PageBudget of) {
    return of.limitPages() == 0 ? 0 : (double) pages / of.limitPages();
  }
}
