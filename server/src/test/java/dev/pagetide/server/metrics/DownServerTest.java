package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Requires;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the dashboard shows of a server that is gone, in a Prometheus that scrapes others, too. */
@Tag(Requires.TAG)
final class DownServerTest {
  private static void eventually(ThrowingRunnable assertion) {
    Awaitility.await()
        .atMost(40, TimeUnit.SECONDS)
        .pollInterval(250, TimeUnit.MILLISECONDS)
        .untilAsserted(assertion);
  }

  @Test
  void serversUp_theOnlyServerIsGone_isNoneThoughAStrangerIsUp() throws Exception {
    Requires.command("prometheus", "it is what scrapes us");
    Dashboard.Query serversUp = Dashboard.read().query("Servers up");
    try (TestServer server = TestServer.start();
        RealPrometheus prometheus =
            RealPrometheus.start(server.httpUrl().substring("http://".length()))) {
      eventually(() -> {
        String asked = serversUp.forAllServers(prometheus, "20s");
        assertThat(prometheus.query(asked)).containsExactly(1.0);
      });

      server.stopWithoutStackTrace();

      eventually(() -> {
        String asked = serversUp.forAllServers(prometheus, "20s");
        assertThat(prometheus.query(asked)).containsExactly(0.0);
        assertThat(prometheus.query("up{job=\"" + RealPrometheus.STRANGER + "\"}"))
            .containsExactly(1.0);
      });
    }
  }
}
