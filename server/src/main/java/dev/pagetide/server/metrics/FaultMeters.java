package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.function.LongSupplier;

/**
 * Faults of the server itself, which are unexpected exceptions. Each has a line with its stack
 * trace in the log. They are counted apart from the calls, because an Exchange goes on after one of
 * its commands failed, and so is no failed call. Thread-safe.
 */
public final class FaultMeters {
  private static final String NAME = "pagetide.faults";
  private static final String DESCRIPTION =
      "Faults of the server itself, each with a stack trace in the log, by where: in a request or"
          + " a command of an Exchange, or in background reclaim.";

  private final LongSupplier requests;
  private final Counter reclaim;

  /**
   * Registers the counters. Each begins at 0.
   *
   * @param requests how many faults there were in requests and commands so far
   */
  public FaultMeters(MeterRegistry registry, LongSupplier requests) {
    this.requests = requests;
    FunctionCounter.builder(NAME, this, meters -> meters.requests.getAsLong())
        .description(DESCRIPTION)
        .tag("where", "request")
        .register(registry);
    this.reclaim =
        Counter.builder(NAME).description(DESCRIPTION).tag("where", "reclaim").register(registry);
  }

  /** Counts a fault in background reclaim, which goes on after it. */
  public void inReclaim() {
    reclaim.increment();
  }
}
