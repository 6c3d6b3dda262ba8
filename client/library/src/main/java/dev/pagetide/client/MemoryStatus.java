package dev.pagetide.client;

import dev.pagetide.v1.CountResponse;
import dev.pagetide.v1.ReclaimCount;
import java.util.EnumMap;
import java.util.Map;

/**
 * The memory figures of a server.
 *
 * @param availablePages pages that a scan could reclaim
 * @param residentPages pages charged to the budget: data pages with memory, headers and tables
 * @param budgetPages the limit of {@code residentPages}: {@code --max-resident-bytes}
 * @param waiting requests that wait for memory
 * @param reclaimedPages pages reclaimed since the server started, by trigger; triggers without a
 *     page are absent
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
