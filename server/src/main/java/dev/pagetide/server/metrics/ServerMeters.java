package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.add;
import static dev.pagetide.server.metrics.MeterTags.tag;

import dev.pagetide.server.handoff.HandoffObserver;
import dev.pagetide.server.handoff.HandoffOutcome;
import dev.pagetide.server.page.PageBudget;
import dev.pagetide.server.page.PageCounters;
import dev.pagetide.server.page.PageCounts;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.ReclaimTrigger;
import dev.pagetide.server.page.RefaultAge;
import dev.pagetide.server.page.ScanResult;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.page.SkipReason;
import dev.pagetide.server.page.WaitOutcome;
import dev.pagetide.server.page.WaitingLine;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.ClientCounts;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The catalogue of Pagetide's own meters, each with its one sentence.
 *
 * <p>Tags are bounded: states, reasons, outcomes. Nothing is counted by session, name or process,
 * so the number of series does not grow with them. Thread-safe.
 */
public final class ServerMeters implements PageObserver, HandoffObserver {
  /** From one page in the cache to a scan of everything. */
  static final Duration[] BUCKETS = {
    Duration.ofNanos(1_000),
    Duration.ofNanos(2_500),
    Duration.ofNanos(5_000),
    Duration.ofNanos(10_000),
    Duration.ofNanos(25_000),
    Duration.ofNanos(50_000),
    Duration.ofNanos(100_000),
    Duration.ofNanos(250_000),
    Duration.ofMillis(1),
    Duration.ofMillis(5),
    Duration.ofMillis(25),
    Duration.ofMillis(100),
    Duration.ofSeconds(1)
  };

  /** The limits on memory, by the option that sets each. */
  private static final Map<String, String> LIMITS =
      Map.of(
          "--max-resident-bytes",
          "server",
          "--max-resident-bytes-per-uid",
          "uid",
          "--max-resident-bytes-per-session",
          "session",
          PageFailure.NoMemory.EDGE,
          "host",
          PageFailure.NoMemory.KERNEL,
          "kernel");

  private final MeterRegistry registry;
  private final Timer allocate;
  private final Timer punch;
  private final Timer sweep;
  private final Timer scan;
  private final Timer lockWait;
  private final Map<ReclaimTrigger, Counter> scansReclaimed = new EnumMap<>(ReclaimTrigger.class);
  private final Map<ReclaimTrigger, Counter> scansEmpty = new EnumMap<>(ReclaimTrigger.class);
  private final Map<WaitOutcome, Timer> waits = new EnumMap<>(WaitOutcome.class);
  private final Map<String, Counter> refusals = new HashMap<>();
  private final Map<SkipReason, Counter> skips = new EnumMap<>(SkipReason.class);
  private final Map<HandoffOutcome, Counter> handoffs = new EnumMap<>(HandoffOutcome.class);

  /** As of the last {@link #refresh}: three gauges, one walk through the page tables. */
  private volatile PageCounts counts = new PageCounts(0, 0, 0, 0);

  /** As of the last {@link #refresh}: four counters, one walk through the headers. */
  private volatile ClientCounts clientCounts = new ClientCounts(0, 0, 0, 0);

  private volatile @Nullable Shrinker shrinker;

  /** Registers what is reported by observers; {@link #bind} adds the rest. */
  public ServerMeters(MeterRegistry registry) {
    this.registry = registry;
    this.allocate =
        timer("pagetide.allocate", "Time of giving memory to at most 256 pages of one range.");
    this.punch =
        timer("pagetide.punch", "Time of taking the memory of at most 256 pages of one range.");
    this.sweep = timer("pagetide.sweep", "Time of one sweep over all page tables.");
    this.scan = timer("pagetide.scan", "Time of one scan of the shrinker.");
    this.lockWait =
        timer("pagetide.lock.wait", "Time that an allocation waited for the lock of its range.");
    for (ReclaimTrigger trigger : ReclaimTrigger.values()) {
      scansReclaimed.put(trigger, scans(trigger, "reclaimed"));
      scansEmpty.put(trigger, scans(trigger, "nothing"));
    }
    for (WaitOutcome outcome : WaitOutcome.values()) {
      waits.put(
          outcome,
          Timer.builder("pagetide.wait")
              .description("Time that a use waited for memory of the whole server, by its outcome.")
              .tag("outcome", tag(outcome))
              .serviceLevelObjectives(BUCKETS)
              .register(registry));
    }
    LIMITS.forEach((option, limit) -> refusals.put(option, refusals(limit)));
    for (SkipReason reason : SkipReason.values()) {
      skips.put(
          reason,
          Counter.builder("pagetide.pages.skipped")
              .description("Pages that a scan had chosen and passed over, by reason.")
              .tag("reason", tag(reason))
              .register(registry));
    }
    for (HandoffOutcome outcome : HandoffOutcome.values()) {
      handoffs.put(
          outcome,
          Counter.builder("pagetide.handoffs")
              .description(
                  "Connections to the hand-over socket that were answered or broke, by outcome.")
              .tag("outcome", tag(outcome))
              .register(registry));
    }
  }

  private Timer timer(String name, String description) {
    return Timer.builder(name)
        .description(description)
        .serviceLevelObjectives(BUCKETS)
        .register(registry);
  }

  private Counter scans(ReclaimTrigger trigger, String outcome) {
    return Counter.builder("pagetide.scans")
        .description(
            "Scans of the shrinker, and sessions that closed, by what made them and whether any"
                + " memory came back.")
        .tag("trigger", tag(trigger))
        .tag("outcome", outcome)
        .register(registry);
  }

  private Counter refusals(String limit) {
    return Counter.builder("pagetide.refusals")
        .description("Uses and openings for which there was no memory, by the limit in their way.")
        .tag("limit", limit)
        .register(registry);
  }

  /**
   * Adds the gauges and counters that are read from the running parts.
   *
   * @param budget the whole server's budget
   * @param pageSize bytes in a page
   */
  public void bind(Shrinker shrinker, PageBudget budget, SessionRegistry sessions, int pageSize) {
    bindMemory(shrinker, budget, pageSize);
    bindPages(shrinker.counters());
    bindByTrigger(shrinker.counters());
    gauge("pagetide.sessions", "Sessions that are live.", sessions, SessionRegistry::size);
    counter(
        "pagetide.sessions.opened",
        "Sessions opened since the server started.",
        sessions,
        SessionRegistry::opened);
    counter(
        "pagetide.sessions.ended",
        "Sessions ended since the server started.",
        sessions,
        SessionRegistry::ended);
    bindClientCounts();
    this.shrinker = shrinker;
  }

  private void bindMemory(Shrinker bound, PageBudget budget, int pageSize) {
    pages("free", PageCounts::free);
    pages("available", PageCounts::available);
    pages("used", PageCounts::used);
    gauge(
        "pagetide.contradictions",
        "Pages with memory whose word says what no client may write.",
        this,
        meters -> meters.counts.contradictions());
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
    gauge(
        "pagetide.waiting",
        "Uses that wait for memory of the whole server now.",
        bound.waitingLine(),
        WaitingLine::size);
  }

  private void bindPages(PageCounters counters) {
    counter(
        "pagetide.pages.allocated",
        "FREE pages that were given memory and became USED.",
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

  /** What clients say: no counter of these is ever added to one of the server's own. */
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

  /** Counts the pages anew, and reads what clients have counted: called before each scrape. */
  public void refresh() {
    Shrinker running = shrinker;
    if (running != null) {
      counts = running.counts();
      clientCounts = running.clientReports().totals();
    }
  }

  private void pages(String state, ToDoubleFunction<PageCounts> count) {
    Gauge.builder("pagetide.pages", this, meters -> count.applyAsDouble(meters.counts))
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

  @Override
  public void allocated(int pages, long nanos) {
    allocate.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void punched(int pages, long nanos) {
    punch.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void swept(long nanos) {
    sweep.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {
    scan.record(nanos, TimeUnit.NANOSECONDS);
    add((result.reclaimed() > 0 ? scansReclaimed : scansEmpty).get(trigger), 1);
    result.skipped().forEach((reason, pages) -> add(skips.get(reason), pages));
  }

  @Override
  public void closed(int pages) {
    add((pages > 0 ? scansReclaimed : scansEmpty).get(ReclaimTrigger.CLOSE), 1);
  }

  @Override
  public void lockWaited(long nanos) {
    lockWait.record(nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void waited(WaitOutcome outcome, long nanos) {
    Timer wait = waits.get(outcome);
    if (wait != null) {
      wait.record(nanos, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void refused(PageFailure.NoMemory refusal) {
    add(refusals.get(refusal.limit()), 1);
  }

  @Override
  public void ended(HandoffOutcome outcome) {
    add(handoffs.get(outcome), 1);
  }
}
