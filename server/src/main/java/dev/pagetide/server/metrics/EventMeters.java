package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.add;
import static dev.pagetide.server.metrics.MeterTags.tag;

import dev.pagetide.server.budget.MemoryRefusal;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.budget.WaitOutcome;
import dev.pagetide.server.handoff.HandoffObserver;
import dev.pagetide.server.handoff.HandoffOutcome;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.ScanResult;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.page.SkipReason;
import dev.pagetide.server.session.SessionRegistry;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The catalogue of the meters that count events as they happen: times, lengths and refusals, each
 * with a description of one sentence. {@link PolledMeters} has those that each scrape reads from
 * the running parts.
 *
 * <p>Tags are bounded: states, reasons, outcomes. No tag is a session, a name or a process, so the
 * number of series does not grow with them. Thread-safe.
 */
public final class EventMeters implements PageObserver, HandoffObserver {
  /** Bounds from the time for one page in the processor's cache to that of a scan of all pages. */
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

  /** Bounds from single pages to the most pages punched while a range's lock is held once. */
  private static final double[] RUN_LENGTHS = {1, 2, 4, 8, 16, 32, 64, 128, 256};

  /** The limits on memory, by the option that sets each. */
  private static final Map<String, String> LIMITS =
      Map.of(
          "--max-resident-bytes",
          "server",
          "--max-resident-bytes-per-uid",
          "uid",
          "--max-resident-bytes-per-session",
          "session",
          MemoryRefusal.EDGE,
          "host",
          MemoryRefusal.KERNEL,
          "kernel");

  private final MeterRegistry registry;
  private final Timer allocate;
  private final Timer punch;
  private final DistributionSummary punchRun;
  private final Timer sweep;
  private final Timer scan;
  private final Timer lockWait;
  private final Map<ReclaimTrigger, Counter> scansReclaimed = new EnumMap<>(ReclaimTrigger.class);
  private final Map<ReclaimTrigger, Counter> scansEmpty = new EnumMap<>(ReclaimTrigger.class);
  private final Map<WaitOutcome, Timer> waits = new EnumMap<>(WaitOutcome.class);
  private final Map<String, Counter> refusals = new HashMap<>();
  private final Map<SkipReason, Counter> skips = new EnumMap<>(SkipReason.class);
  private final Map<HandoffOutcome, Counter> handoffs = new EnumMap<>(HandoffOutcome.class);

  private volatile @Nullable PolledMeters standing;

  /** Registers the meters that the observers feed; {@link #bind} adds the rest. */
  public EventMeters(MeterRegistry registry) {
    this.registry = registry;
    this.allocate =
        timer("pagetide.allocate", "Time of giving memory to at most 256 pages of one range.");
    this.punch =
        timer("pagetide.punch", "Time of taking the memory of at most 256 pages of one range.");
    this.punchRun =
        DistributionSummary.builder("pagetide.punch.run")
            .description(
                "Lengths of the runs of neighbouring pages that scans punched by one call.")
            .baseUnit("pages")
            .serviceLevelObjectives(RUN_LENGTHS)
            .register(registry);
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
              .description(
                  "Time that a UseRange or OpenRange waited for memory of the whole server, by"
                      + " outcome; counted once, however often it waited.")
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
                  "Connections to the hand-off socket that were answered or broke, by outcome.")
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
    standing = new PolledMeters(registry, shrinker, budget, sessions, pageSize);
  }

  /** Counts the pages again, and reads the counts of clients. Called before each scrape. */
  public void refresh() {
    PolledMeters bound = standing;
    if (bound != null) {
      bound.refresh();
    }
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
  public void punchedRun(int pages) {
    punchRun.record(pages);
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
  public void refused(MemoryRefusal refusal) {
    add(refusals.get(refusal.limit()), 1);
  }

  @Override
  public void ended(HandoffOutcome outcome) {
    add(handoffs.get(outcome), 1);
  }
}
