package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.add;
import static dev.pagetide.server.metrics.MeterTags.tag;

import dev.pagetide.server.buffer.BufferFailure;
import dev.pagetide.server.buffer.BufferTotals;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.transaction.EndpointRegistry;
import dev.pagetide.server.transaction.TransactionKind;
import dev.pagetide.server.transaction.TransactionObserver;
import dev.pagetide.server.transaction.TransactionOutcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The meters of transactions and their buffers, each with a description of one sentence. Tags are
 * bounded: kinds, outcomes, states, reasons. Thread-safe.
 */
public final class TransactionMeters implements TransactionObserver {
  /** Why a buffer was not allocated. */
  private enum Refusal {
    NO_SPACE,
    NO_ONE_WAY_SPACE,
    TOO_MANY_BUFFERS,
    NO_MEMORY,
    OTHER
  }

  private final MeterRegistry registry;
  private final Map<TransactionKind, Timer> deliveries = new EnumMap<>(TransactionKind.class);
  private final Map<TransactionKind, Map<TransactionOutcome, Counter>> ends =
      new EnumMap<>(TransactionKind.class);
  private final Map<Refusal, Counter> refusals = new EnumMap<>(Refusal.class);
  private final Timer replies;
  private final Counter copied;
  private final Counter spam;
  private final Counter clearingRefused;

  /** As of the last {@link #refresh}: one walk through the ranges serves several gauges. */
  private volatile @Nullable BufferTotals totals;

  private volatile @Nullable EndpointRegistry endpoints;

  /** Registers the meters that the observer feeds; {@link #bind} adds the rest. */
  public TransactionMeters(MeterRegistry registry) {
    this.registry = registry;
    for (TransactionKind kind : TransactionKind.values()) {
      deliveries.put(
          kind,
          Timer.builder("pagetide.transaction.delivery")
              .description("Time from a transaction's command to its being sent to its receiver.")
              .tag("kind", tag(kind))
              .serviceLevelObjectives(EventMeters.BUCKETS)
              .register(registry));
      Map<TransactionOutcome, Counter> outcomes = new HashMap<>();
      for (TransactionOutcome outcome : TransactionOutcome.values()) {
        outcomes.put(outcome, ends(kind, outcome));
      }
      ends.put(kind, outcomes);
    }
    for (Refusal refusal : Refusal.values()) {
      refusals.put(
          refusal,
          Counter.builder("pagetide.buffers.refused")
              .description("Buffers that could not be allocated, by reason.")
              .tag("reason", tag(refusal))
              .register(registry));
    }
    this.replies =
        Timer.builder("pagetide.transaction.reply")
            .description("Time from a two-way transaction's command to its reply.")
            .serviceLevelObjectives(EventMeters.BUCKETS)
            .register(registry);
    this.copied =
        Counter.builder("pagetide.transactions.copied")
            .description("Bytes of payload copied into buffers.")
            .baseUnit("bytes")
            .register(registry);
    this.spam =
        Counter.builder("pagetide.transactions.spam")
            .description(
                "One-way transactions whose sender was told that it fills its receiver's space.")
            .register(registry);
    this.clearingRefused =
        Counter.builder("pagetide.buffers.clearing.refused")
            .description("Times that the kernel refused to clear a freed buffer; each is retried.")
            .register(registry);
  }

  private Counter ends(TransactionKind kind, TransactionOutcome outcome) {
    return Counter.builder("pagetide.transactions")
        .description("Transactions that have ended, by kind and outcome.")
        .tag("kind", tag(kind))
        .tag("outcome", tag(outcome))
        .register(registry);
  }

  /** Adds the gauges that are read from the running parts. */
  public void bind(EndpointRegistry bound) {
    buffers("building", BufferTotals::buildingBuffers, BufferTotals::buildingBytes);
    buffers("delivered", BufferTotals::deliveredBuffers, BufferTotals::deliveredBytes);
    buffers("clearing", BufferTotals::clearingBuffers, BufferTotals::clearingBytes);
    gauge(
        "pagetide.buffers.one.way.bytes",
        "Space that live one-way buffers take, of all ranges.",
        BufferTotals::oneWayUsedBytes);
    gauge(
        "pagetide.buffers.one.way.limit.bytes",
        "Space that one-way buffers may take, of all ranges.",
        BufferTotals::oneWayLimitBytes);
    gauge(
        "pagetide.buffers.free.bytes",
        "Space that no buffer takes, of all ranges.",
        BufferTotals::freeBytes);
    gauge(
        "pagetide.buffers.largest.gap.bytes",
        "The largest gap of that range whose largest gap is the smallest; 0 without ranges.",
        t -> t.largestGap() == Long.MAX_VALUE ? 0.0 : (double) t.largestGap());
    Gauge.builder("pagetide.parties", bound, EndpointRegistry::size)
        .description("Sessions that are attached to an Exchange.")
        .strongReference(true)
        .register(registry);
    this.endpoints = bound;
    refresh();
  }

  private void buffers(
      String state, ToDoubleFunction<BufferTotals> count, ToDoubleFunction<BufferTotals> bytes) {
    Gauge.builder("pagetide.buffers", this, meters -> meters.of(count))
        .description("Live transaction buffers, by state.")
        .tag("state", state)
        .register(registry);
    Gauge.builder("pagetide.buffers.bytes", this, meters -> meters.of(bytes))
        .description("Space that live transaction buffers take, by state.")
        .tag("state", state)
        .register(registry);
  }

  private void gauge(String name, String description, ToDoubleFunction<BufferTotals> value) {
    Gauge.builder(name, this, meters -> meters.of(value))
        .description(description)
        .register(registry);
  }

  private double of(ToDoubleFunction<BufferTotals> value) {
    BufferTotals now = totals;
    return now == null ? 0 : value.applyAsDouble(now);
  }

  /** Adds up the buffers again. Called before each scrape. */
  public void refresh() {
    EndpointRegistry bound = endpoints;
    if (bound != null) {
      totals = bound.totals();
    }
  }

  @Override
  public void delivered(TransactionKind kind, long nanos) {
    Timer timer = deliveries.get(kind);
    if (timer != null) {
      timer.record(nanos, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void ended(TransactionKind kind, TransactionOutcome outcome, long nanos) {
    Map<TransactionOutcome, Counter> outcomes = ends.get(kind);
    add(outcomes == null ? null : outcomes.get(outcome), 1);
    if (outcome == TransactionOutcome.REPLIED) {
      replies.record(nanos, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void copied(long bytes) {
    add(copied, (double) bytes);
  }

  @Override
  public void allocationFailed(Throwable why) {
    Refusal refusal =
        switch (why) {
          case BufferFailure.NoSpace _ -> Refusal.NO_SPACE;
          case BufferFailure.NoOneWaySpace _ -> Refusal.NO_ONE_WAY_SPACE;
          case BufferFailure.TooMany _ -> Refusal.TOO_MANY_BUFFERS;
          case PageFailure.NoMemory _ -> Refusal.NO_MEMORY;
          default -> Refusal.OTHER;
        };
    add(refusals.get(refusal), 1);
  }

  @Override
  public void spam() {
    add(spam, 1);
  }

  @Override
  public void clearingRefused(PageFailure why) {
    add(clearingRefused, 1);
  }
}
