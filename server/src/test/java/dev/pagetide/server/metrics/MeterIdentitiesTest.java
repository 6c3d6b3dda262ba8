package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.server.kit.WritingClient;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.CountResponse;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What adds up in a real scrape at rest, and what does not grow with the number of sessions. */
@Promise({2, 22, 31})
@WithServer({
  "--max-sessions=700",
  "--high-watermark=800KiB",
  "--low-watermark=600KiB",
  "--max-resident-bytes=64MiB"
})
final class MeterIdentitiesTest {
  private static final int BATCH = 100;

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  private static double value(Map<String, Double> metrics, String series) {
    Double value = metrics.get(series);
    assertThat(value).as(series).isNotNull();
    return value == null ? Double.NaN : value;
  }

  private void awaitEnded(String reason, double sessions) {
    Awaitility.await()
        .until(() ->
            server.metric("pagetide_sessions_ended_total{reason=\"" + reason + "\"}") == sessions);
  }

  @Test
  void scrape_atRest_residentBytesArePagesAndBookkeeping() {
    ManagedChannel channel = server.connect();
    RawSession small = RawSession.open(channel, 3);
    RawSession large = RawSession.open(channel, 1024); // its table takes two pages
    RawSession ending = RawSession.open(channel, 100);
    List.of(small, large, ending).forEach(session -> assertThat(session.use(0, 3)).hasSize(1));
    assertThat(large.use(1000, 1010)).hasSize(1);
    large.stop(1000, 1005);
    large.stop(0, 1);
    assertThat(server.scanAll().getReclaimed()).isEqualTo(6);
    assertThat(large.use(1003, 1004)).hasSize(1);
    large.stop(1003, 1005);
    ending.cancel();
    awaitEnded("cancelled", 1);

    Map<String, Double> metrics = server.metrics();

    double page = value(metrics, "pagetide_page_size_bytes");
    double bookkeeping = value(metrics, "pagetide_bookkeeping_bytes");
    double pages =
        value(metrics, "pagetide_pages_allocated_total")
            - value(metrics, "pagetide_pages_reclaimed_total")
            - value(metrics, "pagetide_pages_closed_total");
    assertThat(page).isEqualTo(RawSession.PAGE);
    assertThat(bookkeeping).isEqualTo((2 + 3) * page);
    assertThat(pages).isEqualTo(3 + 3 + 10 - 6 + 1);
    assertThat(pages)
        .isEqualTo(
            value(metrics, "pagetide_pages{state=\"available\"}")
                + value(metrics, "pagetide_pages{state=\"used\"}"));
    assertThat(pages * page + bookkeeping).isEqualTo(value(metrics, "pagetide_resident_bytes"));
    assertThat(value(metrics, "pagetide_pages_high_watermark")).isEqualTo(3 + 1010);
  }

  @Test
  void scrape_always_tellsLimitsAndWatermarks() {
    Map<String, Double> metrics = server.metrics();

    assertThat(metrics)
        .containsEntry("pagetide_budget_bytes", 64.0 * (1 << 20))
        .containsEntry("pagetide_watermark_bytes{mark=\"high\"}", 800.0 * 1024)
        .containsEntry("pagetide_watermark_bytes{mark=\"low\"}", 600.0 * 1024)
        .containsEntry("pagetide_sessions_limit", 700.0);
  }

  @Test
  void scan_scatteredPages_tellsEachRunsLength() {
    RawSession session = RawSession.open(server.connect(), 64);
    assertThat(session.use(0, 40)).hasSize(1);
    session.stop(RawSession.span(0, 3), RawSession.span(5, 6), RawSession.span(8, 28));
    assertThat(server.metric("pagetide_punch_run_pages_count")).isZero();

    assertThat(server.scanAll().getReclaimed()).isEqualTo(24);

    assertThat(server.metrics())
        .containsEntry("pagetide_punch_run_pages_count", 3.0)
        .containsEntry("pagetide_punch_run_pages_sum", 24.0)
        .containsEntry("pagetide_punch_run_pages_bucket{le=\"1.0\"}", 1.0)
        .containsEntry("pagetide_punch_run_pages_bucket{le=\"2.0\"}", 1.0)
        .containsEntry("pagetide_punch_run_pages_bucket{le=\"4.0\"}", 2.0)
        .containsEntry("pagetide_punch_run_pages_bucket{le=\"16.0\"}", 2.0)
        .containsEntry("pagetide_punch_run_pages_bucket{le=\"32.0\"}", 3.0)
        .containsEntry("pagetide_punch_seconds_count", 1.0);
  }

  @Test
  void sessions_ended_areCountedByReason() throws Exception {
    RawSession cancelled = RawSession.open(server.connect(), 1);
    RawSession staying = RawSession.open(server.connect(), 1);
    try (JavaProcess client = JavaProcess.start(WritingClient.class, server.target())) {
      assertThat(client.readLine()).startsWith("session ");

      cancelled.cancel();
      awaitEnded("cancelled", 1);
      client.kill();
      awaitEnded("disconnected", 1);
    }

    assertThat(staying.hasEnded()).isFalse();
    assertThat(server.metrics())
        .containsEntry("pagetide_sessions_ended_total{reason=\"cancelled\"}", 1.0)
        .containsEntry("pagetide_sessions_ended_total{reason=\"disconnected\"}", 1.0)
        .containsEntry("pagetide_sessions_ended_total{reason=\"stopped\"}", 0.0)
        .containsEntry("pagetide_sessions_opened_total", 3.0)
        .containsEntry("pagetide_sessions", 1.0);
  }

  /** The names and labels of all series; a collection may bring some of the JVM's at any time. */
  private Set<String> series() {
    Set<String> series = new TreeSet<>(server.metrics().keySet());
    series.removeIf(name -> name.startsWith("jvm_"));
    return series;
  }

  private void openAndClose(ManagedChannel channel, int first, int sessions) {
    List<RawSession> batch = new ArrayList<>();
    for (int i = first; i < first + sessions; i++) {
      batch.add(RawSession.start(channel, "session number " + i, RawSession.PAGE));
    }
    batch.forEach(session -> assertThat(session.use(0, 1)).hasSize(1));
    batch.forEach(RawSession::cancel);
    batch.forEach(
        session -> assertThat(session.end().getStatus().getCode()).isEqualTo(Code.CANCELLED));
  }

  @Test
  void series_aThousandSessionsOpenedAndClosed_areThoseThatThereWere() {
    ManagedChannel channel = server.connect();
    openAndClose(channel, 0, 1);
    awaitEnded("cancelled", 1);
    var _ = series(); // what is counted of calls appears with the first
    Set<String> before = series();

    for (int first = 1; first <= 1000; first += BATCH) {
      openAndClose(channel, first, BATCH);
      awaitEnded("cancelled", first + BATCH);
    }

    assertThat(series()).isEqualTo(before);
    assertThat(before).hasSizeGreaterThan(300).noneMatch(name -> name.contains("session number"));
    assertThat(server.metric("pagetide_sessions_opened_total")).isEqualTo(1001);
  }

  @Test
  void series_methodsThatAreNotServed_areNone() {
    ManagedChannel channel = server.connect();
    Set<String> before = series();

    for (int i = 0; i < 20; i++) {
      MethodDescriptor<CountRequest, CountResponse> unknown =
          MethodDescriptor.<CountRequest, CountResponse>newBuilder()
              .setType(MethodDescriptor.MethodType.UNARY)
              .setFullMethodName("pagetide.v1.ShrinkerService/Unknown" + i)
              .setRequestMarshaller(ProtoUtils.marshaller(CountRequest.getDefaultInstance()))
              .setResponseMarshaller(ProtoUtils.marshaller(CountResponse.getDefaultInstance()))
              .build();
      Refusal refusal =
          Refusal.of(() ->
              ClientCalls.blockingUnaryCall(
                  channel, unknown, CallOptions.DEFAULT, CountRequest.getDefaultInstance()));
      assertThat(refusal.code()).isEqualTo(Code.UNIMPLEMENTED);
    }

    assertThat(series()).isEqualTo(before);
  }
}
