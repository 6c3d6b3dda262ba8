package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.CountRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What Prometheus sees, at rest after a load. */
@Promise({2, 22, 31})
@WithServer("--max-range-bytes=64KiB")
final class MetricsTest {
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @Tag(Requires.TAG)
  @Test
  void scrape_afterEveryRpc_satisfiesPromtool() throws Exception {
    Requires.command("promtool", "it is Prometheus's own judge of an exposition");
    loadWithEveryRpc(server.connect(), "load");
    String exposition = server.scrape("text/plain").body();

    Process promtool =
        new ProcessBuilder("promtool", "check", "metrics").redirectErrorStream(true).start();
    String said;
    try (Writer input =
        new OutputStreamWriter(promtool.getOutputStream(), StandardCharsets.UTF_8)) {
      input.write(exposition);
    }
    said = new String(promtool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

    assertThat(said).isEmpty();
    assertThat(promtool.waitFor()).isEqualTo(0);
    assertThat(exposition).contains("pagetide_", "jvm_", "grpc_server_");
  }

  /** The number of series that OPERATIONS.md gives for sizing a Prometheus. */
  @Test
  void scrape_afterEveryRpc_hasAboutAsManySeriesAsTheDocumentsSay() throws Exception {
    loadWithEveryRpc(server.connect(), "load");

    long series =
        server.scrape("text/plain").body().lines().filter(line -> !line.startsWith("#")).count();

    String document = Files.readString(Path.of("docs", "OPERATIONS.md"));
    Matcher said = Pattern.compile("some (\\d+) series").matcher(document);
    assertThat(said.find()).isTrue();
    assertThat(Long.parseLong(said.group(1))).isCloseTo(series, withinPercentage(10));
  }

  /** Uses 12 pages that are FREE and 3 that are AVAILABLE; 12 - 5 = 7 are left. */
  private void loadWithEveryRpc(ManagedChannel channel, String name) {
    RawSession session = RawSession.open(channel, name, 16 * RawSession.PAGE);
    assertThat(session.use(0, 10)).hasSize(1);
    session.write(0, ByteString.copyFromUtf8("bytes"));
    assertThat(session.read(0, 5).toStringUtf8()).isEqualTo("bytes");
    session.fillZero(0, 5);
    session.stop(0, 8);
    assertThat(session.use(0, 3)).isEmpty();
    assertThat(server.shrinker().count(CountRequest.getDefaultInstance()).getPages()).isEqualTo(5);
    assertThat(server.scanAll().getReclaimed()).isEqualTo(5);
    assertThat(session.use(3, 5)).hasSize(1);
    assertThat(session.map()).isEqualTo("UUUUU...UU......");
    assertThat(server.ranges()).isNotEmpty();
    assertThat(Refusal.of(() -> session.use(0, 17)).code()).isEqualTo(Code.OUT_OF_RANGE);
    var _ =
        HealthGrpc.newBlockingStub(channel)
            .withDeadlineAfter(30, TimeUnit.SECONDS)
            .check(HealthCheckRequest.getDefaultInstance());
  }

  @Test
  void scrape_atRest_addsUp() {
    ManagedChannel ending = server.connect();
    loadWithEveryRpc(ending, "ending");
    ending.shutdownNow();
    Awaitility.await().until(() -> server.sum("pagetide_sessions_ended_total") == 1);
    loadWithEveryRpc(server.connect(), "staying");

    Map<String, Double> metrics = server.metrics();

    double allocated = value(metrics, "pagetide_pages_allocated_total");
    double reused = value(metrics, "pagetide_pages_reused_total");
    double reclaimed = value(metrics, "pagetide_pages_reclaimed_total");
    double closed = value(metrics, "pagetide_pages_closed_total");
    double available = value(metrics, "pagetide_pages{state=\"available\"}");
    double used = value(metrics, "pagetide_pages{state=\"used\"}");
    double free = value(metrics, "pagetide_pages{state=\"free\"}");
    assertThat(allocated - reclaimed - closed).as("resident data pages").isEqualTo(7);
    assertThat(available + used).isEqualTo(7);
    assertThat(free + available + used).isEqualTo(16);
    assertThat(value(metrics, "pagetide_resident_bytes")).isEqualTo((7 + 2) * RawSession.PAGE);
    assertThat(allocated).isEqualTo(2 * 12);
    assertThat(reused).isEqualTo(2 * 3);
    assertThat(allocated + reused).as("pages made USED").isEqualTo(2 * (10 + 3 + 2));
    assertThat(value(metrics, "pagetide_pages_stopped_total")).isEqualTo(2 * 8);
    assertThat(reclaimed).isEqualTo(2 * 5);
    assertThat(closed).isEqualTo(7);
    assertThat(value(metrics, "pagetide_sessions")).isEqualTo(1);
    assertThat(value(metrics, "pagetide_sessions_opened_total")).isEqualTo(2);
    assertThat(value(metrics, "pagetide_scans_total{outcome=\"reclaimed\",trigger=\"request\"}"))
        .isEqualTo(2);
    assertThat(value(metrics, "pagetide_scans_pages_total{trigger=\"request\"}")).isEqualTo(10);
    assertThat(value(metrics, "pagetide_scans_total{outcome=\"reclaimed\",trigger=\"close\"}"))
        .isEqualTo(1);
    assertThat(value(metrics, "pagetide_pages_refaulted_total{age=\"within_10s\"}"))
        .as("pages 3 and 4 of both, if the machine is not that slow")
        .isBetween(0.0, 4.0);
    assertThat(value(metrics, "pagetide_scan_seconds_count")).isEqualTo(2);
    assertThat(value(metrics, "pagetide_punch_seconds_count")).isPositive();
    assertThat(value(metrics, "pagetide_allocate_seconds_count")).isPositive();
  }

  private static double value(Map<String, Double> metrics, String series) {
    Double value = metrics.get(series);
    assertThat(value).as(series).isNotNull();
    return value == null ? Double.NaN : value;
  }

  @Test
  void scrape_moreSessions_hasNoMoreSeries() {
    ManagedChannel channel = server.connect();
    loadWithEveryRpc(channel, "first");
    var _ = server.metrics();
    Set<String> before = new TreeSet<>(server.metrics().keySet());

    for (int i = 0; i < 50; i++) {
      int _ = RawSession.open(channel, "session number " + i, 65536).use(0, 1).size();
    }

    Set<String> after = new TreeSet<>(server.metrics().keySet());
    // A collection may have happened meanwhile, and brings series of its cause.
    before.removeIf(series -> series.startsWith("jvm_"));
    after.removeIf(series -> series.startsWith("jvm_"));
    assertThat(after).isEqualTo(before);
    assertThat(after).noneMatch(series -> series.contains("session number"));
  }

  @Test
  void scrape_buildInfo_isOneSeriesThatTellsTheVersion() {
    assertThat(
            server.metrics().entrySet().stream()
                .filter(series -> series.getKey().startsWith("pagetide_build_info")))
        .singleElement()
        .satisfies(series -> {
          assertThat(series.getKey())
              .isEqualTo("pagetide_build_info{version=\"" + BuildVersion.text() + "\"}");
          assertThat(series.getValue()).isEqualTo(1);
        });
  }

  @Test
  void scrape_openMetricsAsked_isOpenMetrics() {
    HttpResponse<String> open =
        server.scrape("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1");
    HttpResponse<String> text = server.scrape("text/plain");

    assertThat(open.headers().firstValue("Content-Type").orElse(""))
        .startsWith("application/openmetrics-text; version=1.0.0");
    assertThat(open.body()).endsWith("# EOF\n");
    assertThat(text.headers().firstValue("Content-Type").orElse(""))
        .startsWith("text/plain; version=0.0.4");
    assertThat(text.body()).doesNotContain("# EOF");
  }

  @Test
  void http_otherPathOrMethod_isRefused() {
    HttpResponse<String> path = server.http(HttpRequest.newBuilder(), "/other");
    HttpResponse<String> longer = server.http(HttpRequest.newBuilder(), "/metrics/x");
    HttpResponse<String> method =
        server.http(
            HttpRequest.newBuilder().POST(HttpRequest.BodyPublishers.ofString("x")), "/metrics");

    assertThat(path.statusCode()).isEqualTo(404);
    assertThat(longer.statusCode()).isEqualTo(404);
    assertThat(longer.body()).doesNotContain("pagetide_");
    assertThat(method.statusCode()).isEqualTo(405);
    assertThat(method.headers().firstValue("Allow")).contains("GET, HEAD");
  }
}
