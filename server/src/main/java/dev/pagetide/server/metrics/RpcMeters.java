package dev.pagetide.server.metrics;

import io.grpc.ServerInterceptor;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;

/**
 * The meters of the RPCs: calls and their time by service, method and status. The tags are bounded,
 * because only calls of methods that the server serves reach this class.
 */
public final class RpcMeters {
  private RpcMeters() {}

  /** The interceptor that observes every call, before it is refused or served. */
  public static ServerInterceptor interceptor(MeterRegistry registry) {
    return new MetricCollectingServerInterceptor(
        registry, counter -> counter, timer -> timer.serviceLevelObjectives(EventMeters.BUCKETS));
  }
}
