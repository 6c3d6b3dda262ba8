package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.session.Peer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What limits do to clients is counted by limit, from 0 on. */
final class CutOffMetersTest {
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final CutOffMeters meters = new CutOffMeters(registry);

  private List<String> series() {
    return registry.scrape().lines().filter(line -> !line.startsWith("#")).toList();
  }

  @Test
  void scrape_nobodyCutOff_showsEachLimitAtZero() {
    assertThat(series())
        .hasSize(10)
        .contains("pagetide_clients_cut_off_total{limit=\"max_sessions_per_uid\"} 0.0")
        .allMatch(line -> line.endsWith(" 0.0"));
  }

  @Test
  void cutOff_byLimits_countsEachByItself() {
    meters.cutOff(Peer.TCP, "--max-sessions", "because");
    meters.cutOff(Peer.TCP, "--max-sessions", "because");
    meters.cutOff(Peer.TCP, "unread-answers", "because");
    meters.cutOff(Peer.TCP, "a limit that is not listed", "because");

    assertThat(series())
        .contains(
            "pagetide_clients_cut_off_total{limit=\"max_sessions\"} 2.0",
            "pagetide_clients_cut_off_total{limit=\"unread_answers\"} 1.0",
            "pagetide_clients_cut_off_total{limit=\"other\"} 1.0",
            "pagetide_clients_cut_off_total{limit=\"max_sessions_per_uid\"} 0.0");
  }
}
