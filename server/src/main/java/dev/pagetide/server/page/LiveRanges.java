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
import org.jspecify.annotations.Nullable;

/**
 * The ranges of a server that have not ended, and the scans over them: all of the {@link Shrinker}
 * that the budget needs. It knows nobody who waits for memory, and wakes nobody.
 *
 * <p>Thread-safe, as the shrinker is.
 */
final class LiveRanges implements Reclaimer {
  /**
   * How many ranges a scan audits that found its candidates queued: some microseconds beside its
   * punches, and all ranges are seen in turn while one sweep's queue lasts.
   */
  private static final int AUDITED_WITHOUT_SWEEP = 4;

  /** How many holders a refusal tells of. */
  private static final int NAMED_HOLDERS = 3;

  private final ConcurrentHashMap<Long, ShrinkablePageRange> ranges = new ConcurrentHashMap<>();
  private final PageContext context;
  private final ReclaimOrder order;

  /** Which ranges a scan without a sweep audits: those after the ones audited so before. */
  private final AtomicInteger nextAudit = new AtomicInteger();

  /** The scan that ended last, to be begun again; a scan that finds none makes a new one. */
  private final AtomicReference<@Nullable Scan> spareScan = new AtomicReference<>();

  LiveRanges(PageContext context, ReclaimConfig config) {
    this.context = context;
    this.order = new ReclaimOrder(context, config);
  }

  void add(ShrinkablePageRange range) {
    if (ranges.putIfAbsent(range.id(), range) != null) {
      throw new IllegalStateException("range id " + range.id() + " was used before");
    }
  }

  /** A range ends: nobody is inside, and its file is still mapped. */
  void remove(ShrinkablePageRange range) {
    ranges.remove(range.id(), range);
    order.remove(range);
    if (ranges.isEmpty()) {
      order.clear();
    }
  }

  /** All there are, seen one by one while others come and go. */
  Collection<ShrinkablePageRange> all() {
    return ranges.values();
  }

  /** Those that are charged to a budget or below it. */
  List<ShrinkablePageRange> within(PageBudget scope) {
    return scope == context.budget()
        ? new ArrayList<>(ranges.values())
        : ReclaimOrder.within(scope, ranges.values());
  }

  /** How many of their pages are AVAILABLE. */
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
    // ORDER: the clock, then the ranges: what is stamped by then lies in a range that is listed.
    long start = context.clock().passedNanos();
    List<ShrinkablePageRange> scanned = within(request.scope());
    Scan lent = spareScan.getAndSet(null);
    Scan scan = lent == null ? new Scan() : lent;
    scan.begin(request.trigger());
    boolean swept = order.take(request, this::within, scanned, start, scan);
    ScanResult result = scan.result();
    scan.begin(request.trigger()); // lets go of what it knew of ranges
    spareScan.set(scan);
    audit(scanned, swept ? scanned.size() : AUDITED_WITHOUT_SWEEP);
    context.observer().scanned(request.trigger(), result, context.clock().nanos() - start);
    return result;
  }

  /**
   * Audits {@code most} ranges, or all if they are fewer, beginning with those whose turn it is.
   */
  private void audit(List<ShrinkablePageRange> audited, int most) {
    int count = Math.min(most, audited.size());
    int first = count == audited.size() ? 0 : nextAudit.getAndAdd(count);
    for (int i = 0; i < count; i++) {
      StrayAudit.run(audited.get(Math.floorMod(first + i, audited.size())));
    }
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
