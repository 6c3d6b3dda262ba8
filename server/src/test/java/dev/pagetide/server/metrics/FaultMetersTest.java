package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Faults are counted from 0 on: a counter that begins with its first fault hides that one. */
final class FaultMetersTest {
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final AtomicLong inRequests = new AtomicLong();
  private final FaultMeters meters = new FaultMeters(registry, inRequests::get);

  @Test
  void scrape_noFaultYet_showsEachAtZero() {
    assertThat(registry.scrape().lines())
        .contains(
            "pagetide_faults_total{where=\"request\"} 0.0",
            "pagetide_faults_total{where=\"reclaim\"} 0.0");
  }

  @Test
  void scrape_afterFaults_tellsThemApart() {
    inRequests.set(2);
    meters.inReclaim();

    assertThat(registry.scrape().lines())
        .contains(
            "pagetide_faults_total{where=\"request\"} 2.0",
            "pagetide_faults_total{where=\"reclaim\"} 1.0");
  }
}
