package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;

/** The version of this server, as the label of a gauge that is always 1. */
public final class BuildMeters {
  private BuildMeters() {}

  /** Registers the gauge. It has one series. */
  public static void bind(MeterRegistry registry, String version) {
    Gauge.builder("pagetide.build.info", () -> 1)
        .description("Always 1; the label is the version of the server.")
        .tag("version", version)
        .register(registry);
  }
}
