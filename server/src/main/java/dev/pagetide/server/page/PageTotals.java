package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * The pages of all ranges by state, and how full the fullest budget of a uid is. The ranges of one
 * uid share its budget. A uid with a limit of its own is refused at that limit, however much memory
 * the server has left.
 *
 * @param pages the pages of all ranges, by state
 * @param fullestResident the charge of the uid that is nearest to its limit, as a fraction of that
 *     limit, from 0 to 1; 0 if no uid has a limit that is narrower than the server's
 * @param fullestCommitted the same fraction for the pages that no scan can take: USED pages,
 *     headers and tables. It may belong to another uid
 */
public record PageTotals(PageCounts pages, double fullestResident, double fullestCommitted) {
  /** The values before the first count. */
  public static final PageTotals NONE = new PageTotals(PageCounts.NONE, 0, 0);

  /** Walks all page tables, which takes some ms for a million pages. */
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
      // RACE: pages may be stopped or reclaimed after they were counted, so the difference may be
      // negative. The least that can be in use is nothing.
      committed = Math.max(committed, part(Math.max(0, charged - uid.getValue()), budget));
    }
    return new PageTotals(total, resident, committed);
  }

  private static double part(long pages, PageBudget of) {
    return of.limitPages() == 0 ? 0 : (double) pages / of.limitPages();
  }
}
