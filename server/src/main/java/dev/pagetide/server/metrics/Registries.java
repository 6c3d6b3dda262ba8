package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmInfoMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusNamingConvention;
import java.util.Locale;

/** Makes the Prometheus registry of a server, with the JVM's own meters in it. */
public final class Registries {
  private Registries() {}

  /** A registry whose names and tags follow Prometheus's rules. */
  public static PrometheusMeterRegistry prometheus() {
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    registry.config().namingConvention(new SnakeCaseTags());
    // promtool objects to two meters: one has the unit nanoseconds, one name ends with "count".
    registry.config().meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"));
    registry.config().meterFilter(MeterFilter.denyNameStartsWith("system.cpu.count"));
    new ClassLoaderMetrics().bindTo(registry);
    new JvmInfoMetrics().bindTo(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    gc(registry);
    return registry;
  }

  /** The binding lives as long as the registry, which lives as long as the process. */
  @SuppressWarnings("resource")
  private static void gc(PrometheusMeterRegistry registry) {
    new JvmGcMetrics().bindTo(registry);
  }

  /** Micrometer's gRPC meters have tags in camel case, to which promtool objects. */
  private static final class SnakeCaseTags extends PrometheusNamingConvention {
    @Override
    public String tagKey(String key) {
      return super.tagKey(key.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT));
    }
  }
}
