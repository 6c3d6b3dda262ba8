package dev.pagetide.server.metrics;

import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;

/**
 * The meters of the RPCs: calls and their time by service, method and status. Bounded: only methods
 * that are served get as far as here.
 */
public final class RpcMeters {
  private RpcMeters() {}

  /** What looks at every call, before it is refused or served. */
  public static ServerInterceptor interceptor(MeterRegistry registry) {
    return new MetricCollectingServerInterceptor(
        registry, counter -> counter, timer -> timer.serviceLevelObjectives(EventMeters.BUCKETS));
  }
}
