package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.add;
import static dev.pagetide.server.metrics.MeterTags.tag;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import dev.pagetide.server.pressure.PressureLevels;
import dev.pagetide.server.pressure.PressureObserver;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The catalogue of the meters of the host's memory pressure, and of what the server did about it.
 *
 * <p>Tags are bounded: sources, triggers, actions. Thread-safe.
 */
public final class PressureMeters implements PressureObserver {
  private static final Set<ReclaimTrigger> TRIGGERS =
      EnumSet.of(
          ReclaimTrigger.PSI_SOME,
          ReclaimTrigger.PSI_FULL,
          ReclaimTrigger.CGROUP,
          ReclaimTrigger.MEMAVAILABLE);

  /** The result of a decision. */
  private enum Action {
    RECLAIMED,
    NOTHING,
    DRY_RUN
  }

  private record Outcome(ReclaimTrigger trigger, Action action) {}

  private final MeterRegistry registry;
  private final Map<PressureKind, Counter> failures = new EnumMap<>(PressureKind.class);
  private final Map<Outcome, Counter> decisions;
  private final Map<Outcome, Counter> pages;

  /**
   * Registers the meters that the monitor feeds; {@link #bind} adds which sources the host has.
   *
   * @param levels the levels, which the monitor also feeds
   */
  public PressureMeters(MeterRegistry registry, PressureLevels levels) {
    this.registry = registry;
    for (PressureKind source : PressureKind.values()) {
      Gauge.builder("pagetide.pressure.level", levels, l -> l.of(source).number())
          .description(
              "How hard the host presses, by source: 0 not at all, 1 low, 2 medium, 3 critical.")
          .tag("source", tag(source))
          .strongReference(true)
          .register(registry);
      failures.put(
          source,
          Counter.builder("pagetide.pressure.failures")
              .description("Times that a source of pressure could not be read or answered.")
              .tag("source", tag(source))
              .register(registry));
    }
    decisions =
        counters(
            "pagetide.pressure.decisions",
            "Decisions to take pages because the host is short of memory, by what became of them.");
    pages =
        counters(
            "pagetide.pressure.pages",
            "Pages of such decisions: reclaimed, wanted where there was nothing, or told in a dry"
                + " run.");
  }

  private Map<Outcome, Counter> counters(String name, String description) {
    Map<Outcome, Counter> counters = new ConcurrentHashMap<>();
    for (ReclaimTrigger trigger : TRIGGERS) {
      for (Action action : Action.values()) {
        counters.put(
            new Outcome(trigger, action),
            Counter.builder(name)
                .description(description)
                .tag("trigger", tag(trigger))
                .tag("action", tag(action))
                .register(registry));
      }
    }
    return counters;
  }

  /**
   * Adds the meters that say which sources the host has.
   *
   * @param missing a live view of the sources that the host lacks at the moment
   */
  public void bind(Set<PressureKind> missing) {
    for (PressureKind source : PressureKind.values()) {
      Gauge.builder("pagetide.pressure.source", () -> missing.contains(source) ? 0 : 1)
          .description("Whether the host has a source of pressure now: 1 if it has.")
          .tag("source", tag(source))
          .strongReference(true)
          .register(registry);
    }
  }

  @Override
  public void decided(
      ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun) {
    Action action;
    if (dryRun) {
      action = Action.DRY_RUN;
    } else {
      action = reclaimed > 0 ? Action.RECLAIMED : Action.NOTHING;
    }
    Outcome outcome = new Outcome(trigger, action);
    add(decisions.get(outcome), 1);
    add(pages.get(outcome), (double) (action == Action.RECLAIMED ? reclaimed : wanted));
  }

  @Override
  public void levelChanged(PressureKind source, PressureLevel level) {
    // The gauges read the levels.
  }

  @Override
  public void failed(PressureKind source, Throwable cause) {
    add(failures.get(source), 1);
  }
}
