package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A real Prometheus scrapes a real server under a {@link MixedLoad}, by the configuration, the
 * rules and the dashboard that we ship: each of their queries finds what it asks for.
 */
@Tag(Requires.TAG)
final class RealPrometheusTest {
  private static final long WAIT_SECONDS = 40;
  private static final Pattern NAME =
      Pattern.compile("\\b(?:pagetide|grpc|jvm|process|system)_[a-z0-9_]+\\b(?!\\s*:)");

  @SuppressWarnings("NullAway.Init")
  private static TestServer server;

  @SuppressWarnings("NullAway.Init")
  private static MixedLoad load;

  @SuppressWarnings("NullAway.Init")
  private static RealPrometheus prometheus;

  @BeforeAll
  static void startAll() throws Exception {
    Requires.command("prometheus", "it is what scrapes us");
    server = TestServer.start(MixedLoad.OPTIONS);
    load = MixedLoad.start(server);
    prometheus = RealPrometheus.start(server.httpUrl().substring("http://".length()));
  }

  @AfterAll
  static void stopAll() throws Exception {
    try (TestServer _ = server;
        RealPrometheus _ = prometheus) {
      if (load != null) {
        load.end();
      }
      if (server != null) {
        var _ = server.stopWithoutStackTrace();
      }
    }
  }

  private static void eventually(ThrowingRunnable assertion) {
    Awaitility.await()
        .atMost(WAIT_SECONDS, TimeUnit.SECONDS)
        .pollInterval(250, TimeUnit.MILLISECONDS)
        .untilAsserted(assertion);
  }

  private static String text(JsonObject object, String key) {
    return object.has(key) ? object.get(key).getAsString() : "";
  }

  @Test
  void target_theServer_isScrapedWithoutError() {
    eventually(() ->
        assertThat(prometheus.targets())
            .hasSize(2) // the server, and what is none of ours
            .allSatisfy(target -> {
              assertThat(text(target, "health")).isEqualTo("up");
              assertThat(text(target, "lastError")).isEmpty();
            }));
  }

  @Test
  void rules_allOfThem_areEvaluatedWithoutError() {
    eventually(() ->
        assertThat(prometheus.rules())
            .hasSizeGreaterThan(15)
            .allSatisfy(rule -> {
              assertThat(text(rule, "health")).as(text(rule, "name")).isEqualTo("ok");
              assertThat(text(rule, "lastError")).as(text(rule, "name")).isEmpty();
            }));
  }

  @Test
  void recordings_allOfThem_haveValues() {
    eventually(() -> {
      List<String> empty = new ArrayList<>();
      for (JsonObject rule : prometheus.rules()) {
        if (text(rule, "type").equals("recording")
            && prometheus.query(text(rule, "name")).isEmpty()) {
          empty.add(text(rule, "name"));
        }
      }
      assertThat(empty).isEmpty();
    });
  }

  @Test
  void alerts_ofWhatTheLoadDoes_areThereAndNoOthersFire() {
    eventually(() -> {
      Map<String, String> states = new HashMap<>();
      prometheus.rules().forEach(rule -> states.put(text(rule, "name"), text(rule, "state")));
      assertThat(states)
          .containsEntry("PagetideStrays", "firing")
          .containsEntry("PagetideContradictions", "pending")
          .containsEntry("PagetideRefusals", "pending")
          .containsEntry("PagetideDown", "inactive")
          .containsEntry("PagetideRpcsFail", "inactive")
          .containsEntry("PagetideFaults", "inactive")
          .containsEntry("PagetideLoopStalled", "inactive")
          .containsEntry("PagetideRestarts", "inactive")
          .containsEntry("PagetideClientsCutOff", "inactive")
          .containsEntry("PagetidePressureUnheard", "inactive")
          .containsEntry("PagetideSessionsNearlySpent", "inactive");
    });
  }

  @Test
  void queries_ofRulesAndDashboard_nameWhatTheServerHas() throws IOException {
    List<String> queries = new ArrayList<>();
    prometheus.rules().forEach(rule -> queries.add(text(rule, "query")));
    Dashboard.read().queries().forEach(query -> queries.add(query.expression()));
    assertThat(queries).hasSizeGreaterThan(80);

    eventually(() -> {
      Set<String> names = prometheus.names();
      assertThat(queries)
          .allSatisfy(query ->
              assertThat(names)
                  .as(query)
                  .containsAll(
                      NAME.matcher(query.replaceAll("\\binstance\\w*:\\w+(:\\w+)?", ""))
                          .results()
                          .map(found -> found.group())
                          .toList()));
    });
  }

  @Test
  void dashboard_aStrangerIsUp_countsOurServersAlone() throws IOException {
    Dashboard.Query serversUp = Dashboard.read().query("Servers up");

    eventually(() -> {
      assertThat(prometheus.query("sum(up)")).containsExactly(2.0);
      assertThat(prometheus.query(serversUp.forAllServers(prometheus, "20s"))).containsExactly(1.0);
    });
  }

  @Test
  void dashboard_eachQuery_findsData() throws IOException {
    List<Dashboard.Query> queries = Dashboard.read().queries();
    assertThat(queries).hasSizeGreaterThan(60);

    eventually(() -> {
      List<String> empty = new ArrayList<>();
      for (Dashboard.Query query : queries) {
        String asked = query.forAllServers(prometheus, "20s");
        if (prometheus.query(asked).isEmpty()) {
          empty.add(query.panel() + ": " + asked);
        }
      }
      assertThat(empty).isEmpty();
    });
  }
}
