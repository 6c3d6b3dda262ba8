package dev.pagetide.server.page;

import dev.pagetide.server.budget.NoMemoryDetails;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimRequest;
import dev.pagetide.server.budget.Reclaimer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The ranges of a server that have not ended, and the scans over them. It is the part of the {@link
 * Shrinker} that the budget needs. It does not know the requests that wait for memory, and wakes
 * none of them.
 *
 * <p>Thread-safe, as the shrinker is.
 */
final class LiveRanges implements Reclaimer {
  /**
   * How many ranges a scan audits if it found its candidates queued. That takes some microseconds
   * beside its punches, and the audits reach all ranges in turn while the queue of one sweep lasts.
   */
  private static final int AUDITED_WITHOUT_SWEEP = 4;

  /** How many holders a refusal reports. */
  private static final int NAMED_HOLDERS = 3;

  private final ConcurrentHashMap<Long, ShrinkablePageRange> ranges = new ConcurrentHashMap<>();
  private final PageContext context;
  private final ReclaimOrder order;
  private final AuditBeforeRefusal lastAudit;

  /** The next range to audit for a scan without a sweep: the one after those audited last. */
  private final AtomicInteger nextAudit = new AtomicInteger();

  /** The scan that ended last, to be used again. A scan that finds none here makes a new one. */
  private final AtomicReference<@Nullable Scan> spareScan = new AtomicReference<>();

  LiveRanges(PageContext context, ReclaimConfig config) {
    this.context = context;
    this.order = new ReclaimOrder(context, config);
    this.lastAudit = new AuditBeforeRefusal(context);
  }

  void add(ShrinkablePageRange range) {
    if (ranges.putIfAbsent(range.id(), range) != null) {
      throw new IllegalStateException("range id " + range.id() + " was used before");
    }
  }

  /** Removes a range that ends. No thread is inside it, and its file is still mapped. */
  void remove(ShrinkablePageRange range) {
    ranges.remove(range.id(), range);
    order.remove(range);
    if (ranges.isEmpty()) {
      order.clear();
    }
  }

  /** All ranges. A view; weakly consistent. */
  Collection<ShrinkablePageRange> all() {
    return ranges.values();
  }

  /** The ranges that are charged to a budget or below it. */
  List<ShrinkablePageRange> within(PageBudget scope) {
    return scope == context.budget()
        ? new ArrayList<>(ranges.values())
        : ReclaimOrder.within(scope, ranges.values());
  }

  /** How many pages of those ranges are AVAILABLE. */
  static long available(Collection<ShrinkablePageRange> within) {
    long available = 0;
    for (ShrinkablePageRange range : within) {
      available += range.counts().available();
    }
    return available;
  }

  ScanResult scan(ReclaimRequest request) {
    if (request.pages() <= 0) {
      return ScanResult.NOTHING;
    }
    // ORDER: first the clock, then the ranges. So a page that is stamped by then is in a listed
    // range.
    long start = context.clock().passedNanos();
    List<ShrinkablePageRange> scanned = within(request.scope());
    Scan lent = spareScan.getAndSet(null);
    Scan scan = lent == null ? new Scan() : lent;
    scan.begin(request.trigger());
    boolean swept = order.take(request, this::within, scanned, start, scan);
    ScanResult result = scan.result();
    scan.begin(request.trigger()); // drops its references to ranges
    spareScan.set(scan);
    audit(scanned, swept ? scanned.size() : AUDITED_WITHOUT_SWEEP);
    context.observer().scanned(request.trigger(), result, context.clock().nanos() - start);
    return result;
  }

  /**
   * Audits {@code most} ranges, or all if there are fewer, and goes on after those that were
   * audited last. Punches few strays, because others may wait for this scan.
   */
  private void audit(List<ShrinkablePageRange> audited, int most) {
    int count = Math.min(most, audited.size());
    int holds = 0;
    for (int i = 0; i < count && holds < StrayAudit.FEW_HOLDS; i++) {
      int index = Math.floorMod(nextAudit.getAndIncrement(), audited.size());
      holds += new StrayAudit(audited.get(index)).goOn(StrayAudit.FEW_HOLDS - holds);
    }
  }

  @Override
  public boolean takesStrays(BooleanSupplier enough) {
    return lastAudit.takes(ranges.values(), enough);
  }

  @Override
  public long reclaim(ReclaimRequest request) {
    return scan(request).reclaimed();
  }

  @Override
  public NoMemoryDetails.Holders holders(PageBudget limit) {
    List<ShrinkablePageRange> within = within(limit);
    List<Long> largest =
        within.stream()
            .map(range -> range.budget().chargedPages())
            .sorted(Comparator.reverseOrder())
            .limit(NAMED_HOLDERS)
            .toList();
    return new NoMemoryDetails.Holders(available(within), within.size(), largest);
  }

  @Override
  public int rangeCount() {
    return ranges.size();
  }
}
