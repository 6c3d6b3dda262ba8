package dev.pagetide.client;

import dev.pagetide.v1.CountResponse;
import dev.pagetide.v1.ReclaimCount;
import java.util.EnumMap;
import java.util.Map;

/**
 * How a server's memory stands.
 *
 * @param availablePages pages that a scan could reclaim
 * @param residentPages what is charged to the budget: pages with memory, headers and tables
 * @param budgetPages the most that can be: {@code --max-resident-bytes}
 * @param waiting uses that wait for memory
 * @param reclaimedPages pages that came back since the server started, by what made it take them;
 *     reasons without a page are absent
 * @param pageSize bytes in a page
 */
public record MemoryStatus(
    long availablePages,
    long residentPages,
    long budgetPages,
    int waiting,
    Map<ReclaimTrigger, Long> reclaimedPages,
    int pageSize) {

  /** Keeps a copy of {@code reclaimedPages}. */
  public MemoryStatus {
    reclaimedPages = Map.copyOf(reclaimedPages);
  }

  static MemoryStatus of(CountResponse wire) {
    Map<ReclaimTrigger, Long> reclaimed = new EnumMap<>(ReclaimTrigger.class);
    for (ReclaimCount count : wire.getReclaimedList()) {
      reclaimed.merge(
          WireEnums.trigger(count.getTrigger()),
          WireNumbers.count("reclaimed.pages", count.getPages()),
          Long::sum);
    }
    return new MemoryStatus(
        WireNumbers.count("pages", wire.getPages()),
        WireNumbers.count("resident_pages", wire.getResidentPages()),
        WireNumbers.count("budget_pages", wire.getBudgetPages()),
        WireNumbers.count("waiting", wire.getWaiting()),
        reclaimed,
        WireNumbers.positive("page_size", wire.getPageSize()));
  }
}
