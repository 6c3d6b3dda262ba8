package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.function.DoubleSupplier;

/** Whether the event loops take their turns. */
public final class LoopMeters {
  private LoopMeters() {}

  /**
   * Registers the gauge. It has one series.
   *
   * @param longestStallSeconds how long the loop that is stalled the longest has been so
   */
  public static void bind(MeterRegistry registry, DoubleSupplier longestStallSeconds) {
    Gauge.builder("pagetide.loop.stall.seconds", longestStallSeconds::getAsDouble)
        .description(
            "How long the event loop that is stalled the longest has served no connection; at most"
                + " some milliseconds if all is well.")
        .strongReference(true)
        .register(registry);
  }
}
