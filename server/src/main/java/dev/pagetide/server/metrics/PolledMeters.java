package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.tag;

import dev.pagetide.server.budget.AllocationQueue;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.page.PageCounters;
import dev.pagetide.server.page.PageCounts;
import dev.pagetide.server.page.PageTotals;
import dev.pagetide.server.page.RefaultAge;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.ClientCounts;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/**
 * The catalogue of the meters of memory, pages and sessions that each scrape reads from the running
 * parts. Each has a description of one sentence. Tags are bounded: states, reasons, triggers.
 * Thread-safe.
 */
final class PolledMeters {
  private final MeterRegistry registry;
  private final Shrinker shrinker;

  /** As of the last {@link #refresh}: one walk through the page tables serves six gauges. */
  private volatile PageTotals totals = PageTotals.NONE;

  /** As of the last {@link #refresh}: one walk through the headers serves four counters. */
  private volatile ClientCounts clientCounts = new ClientCounts(0, 0, 0, 0);

  /**
   * Registers all of them.
   *
   * @param budget the whole server's budget
   * @param pageSize bytes in a page
   */
  PolledMeters(
      MeterRegistry registry,
      Shrinker shrinker,
      PageBudget budget,
      SessionRegistry sessions,
      int pageSize) {
    this.registry = registry;
    this.shrinker = shrinker;
    bindMemory(budget, pageSize);
    bindPages(shrinker.counters());
    bindByTrigger(shrinker.counters());
    bindSessions(sessions);
    bindFullestUid(sessions);
    bindClientCounts();
  }

  private void bindSessions(SessionRegistry sessions) {
    gauge("pagetide.sessions", "Sessions that are live.", sessions, SessionRegistry::size);
    gauge(
        "pagetide.sessions.limit",
        "The most sessions that may be live: --max-sessions.",
        sessions,
        SessionRegistry::limit);
    counter(
        "pagetide.sessions.opened",
        "Sessions opened since the server started.",
        sessions,
        SessionRegistry::opened);
    for (EndReason reason : EndReason.values()) {
      FunctionCounter.builder("pagetide.sessions.ended", sessions, s -> s.endedFor(reason))
          .description(
              "Sessions ended since the server started: by a cancel of their client's, with its"
                  + " connection, or because the server stopped.")
          .tag("reason", tag(reason))
          .register(registry);
    }
  }

  /** A uid at a limit of its own is refused, however much memory the server has left. */
  private void bindFullestUid(SessionRegistry sessions) {
    gauge(
        "pagetide.fullest.uid.resident.ratio",
        "Resident memory of the uid that is nearest to its limit, as a part of that limit:"
            + " --max-resident-bytes-per-uid; 0 where that is no narrower than the budget.",
        this,
        meters -> meters.totals.fullestResident());
    gauge(
        "pagetide.fullest.uid.committed.ratio",
        "The same of the memory that no scan can take: USED pages, headers and tables.",
        this,
        meters -> meters.totals.fullestCommitted());
    gauge(
        "pagetide.fullest.uid.sessions.ratio",
        "Sessions of the uid that is nearest to its limit, as a part of that limit:"
            + " --max-sessions-per-uid; 0 where that is no narrower than --max-sessions.",
        sessions,
        SessionRegistry::fullestUidRatio);
  }

  private void bindMemory(PageBudget budget, int pageSize) {
    pages("free", PageCounts::free);
    pages("available", PageCounts::available);
    pages("used", PageCounts::used);
    gauge(
        "pagetide.contradictions",
        "Pages with memory whose word says what no client may write.",
        this,
        meters -> meters.totals.pages().contradictions());
    gauge(
        "pagetide.resident.bytes",
        "Memory charged to the budget: pages that hold memory, and each file's header and table.",
        budget,
        b -> (double) b.chargedPages() * pageSize);
    gauge(
        "pagetide.budget.bytes",
        "The most memory that may be resident: --max-resident-bytes, in whole pages.",
        budget,
        b -> (double) b.limitPages() * pageSize);
    watermark("low", shrinker.config().lowWatermarkPages(), pageSize);
    watermark("high", shrinker.config().highWatermarkPages(), pageSize);
    gauge("pagetide.page.size.bytes", "Bytes in a page.", pageSize, Integer::doubleValue);
    gauge(
        "pagetide.bookkeeping.bytes",
        "The part of the resident memory that is each file's header and table: the rest is pages.",
        shrinker,
        s -> (double) s.bookkeepingPages() * pageSize);
    gauge(
        "pagetide.waiting",
        "Uses and openings that wait for memory of the whole server now.",
        shrinker.allocationQueue(),
        AllocationQueue::size);
  }

  private void bindPages(PageCounters counters) {
    gauge(
        "pagetide.pages.high.watermark",
        "Pages of all ranges up to the highest of each that ever held memory: what they would hold"
            + " if nothing were reclaimed.",
        shrinker,
        Shrinker::highWatermarkPages);
    counter(
        "pagetide.pages.allocated",
        "FREE pages that were given memory and became USED. At rest, allocated - reclaimed - closed"
            + " are the pages that hold memory, to the page; with the reused ones they are those"
            + " that the server made USED.",
        counters,
        PageCounters::allocated);
    counter(
        "pagetide.pages.reused",
        "AVAILABLE pages that the server made USED again.",
        counters,
        PageCounters::reused);
    counter(
        "pagetide.pages.stopped",
        "USED pages that the server made AVAILABLE.",
        counters,
        PageCounters::stopped);
    counter(
        "pagetide.pages.reclaimed",
        "AVAILABLE pages that the shrinker made FREE.",
        counters,
        PageCounters::reclaimed);
    counter(
        "pagetide.pages.closed",
        "Pages whose memory came back because their session ended.",
        counters,
        PageCounters::closed);
    counter(
        "pagetide.strays",
        "Pages of memory found, and taken, that the server had not given: clients touched them.",
        counters,
        PageCounters::strays);
    counter(
        "pagetide.strays.host",
        "The same while the host forced huge pages on shared memory: the kernel gave them, no"
            + " client touched them.",
        counters,
        PageCounters::hostStrays);
    counter(
        "pagetide.audit.rounds",
        "Rounds of the audit, each of which looked for strays in every range.",
        counters,
        PageCounters::auditRounds);
  }

  private void bindByTrigger(PageCounters counters) {
    for (ReclaimTrigger trigger : ReclaimTrigger.values()) {
      if (trigger != ReclaimTrigger.CLOSE) { // those pages are closed ones
        FunctionCounter.builder("pagetide.scans.pages", counters, c -> c.reclaimed(trigger))
            .description("Pages that scans reclaimed, by what made them scan.")
            .tag("trigger", tag(trigger))
            .register(registry);
      }
    }
    for (RefaultAge age : RefaultAge.values()) {
      FunctionCounter.builder("pagetide.pages.refaulted", counters, c -> c.refaulted(age))
          .description(
              "Pages that were given memory again after they had been reclaimed, by how soon: many"
                  + " soon ones say that the budget is too small.")
          .tag("age", tag(age))
          .register(registry);
    }
  }

  /** What clients report. None of these counters is ever added to one of the server's own. */
  private void bindClientCounts() {
    clientCounter(
        "pagetide.client.pages.used",
        "Pages that clients say they made USED, by themselves or by the server.",
        ClientCounts::uses);
    clientCounter(
        "pagetide.client.pages.stopped",
        "USED pages that clients say they made AVAILABLE themselves.",
        ClientCounts::stops);
    clientCounter(
        "pagetide.client.pages.reused",
        "AVAILABLE pages that clients say they made USED themselves, without a call.",
        ClientCounts::reuses);
    clientCounter(
        "pagetide.client.uses.failed", "Uses that failed, as clients say.", ClientCounts::failures);
  }

  private void clientCounter(String name, String description, ToLongFunction<ClientCounts> count) {
    FunctionCounter.builder(name, this, meters -> count.applyAsLong(meters.clientCounts))
        .description(description)
        .tag("source", "client")
        .register(registry);
  }

  /** Counts the pages again, and reads the counts of clients. */
  void refresh() {
    totals = shrinker.totals();
    clientCounts = shrinker.clientReports().totals();
  }

  private void watermark(String mark, long pages, int pageSize) {
    Gauge.builder("pagetide.watermark.bytes", () -> (double) pages * pageSize)
        .description(
            "Resident memory above which background reclaim begins (high), and at which it ends"
                + " (low).")
        .tag("mark", mark)
        .strongReference(true)
        .register(registry);
  }

  private void pages(String state, ToDoubleFunction<PageCounts> count) {
    Gauge.builder("pagetide.pages", this, meters -> count.applyAsDouble(meters.totals.pages()))
        .description("Pages of all ranges, by state.")
        .tag("state", state)
        .register(registry);
  }

  private <T> void gauge(String name, String description, T of, ToDoubleFunction<T> value) {
    Gauge.builder(name, of, value)
        .description(description)
        .strongReference(true)
        .register(registry);
  }

  private <T> void counter(String name, String description, T of, ToLongFunction<T> value) {
    FunctionCounter.builder(name, of, value::applyAsLong)
        .description(description)
        .register(registry);
  }
}
