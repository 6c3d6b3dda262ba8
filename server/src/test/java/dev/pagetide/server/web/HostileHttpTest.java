package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.kit.TestServer;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that hold connections of the HTTP listener: everybody on this host can open them. */
final class HostileHttpTest {
  private static final int MANY = HttpConnections.MAX + 50;

  private static final String ASKS = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

  /** More answers than the kernel keeps for a reader that does not read. */
  private static final int UNREAD = 40;

  private final List<RawHttpClient> hostile = new ArrayList<>();

  @AfterEach
  void hangUp() throws IOException {
    for (RawHttpClient client : hostile) {
      client.close();
    }
  }

  private RawHttpClient connect(TestServer server, String text) throws IOException {
    RawHttpClient client = new RawHttpClient(URI.create(server.httpUrl()));
    hostile.add(client);
    boolean _ = client.send(text);
    return client;
  }

  private static void assertAnswers(TestServer server) {
    for (String path : List.of("/metrics", "/healthz", "/ready")) {
      HttpRequest.Builder patient = HttpRequest.newBuilder().timeout(Duration.ofMinutes(1));
      assertThat(server.http(patient, path).statusCode()).as(path).isEqualTo(200);
    }
  }

  /**
   * With a limit of time that does not help: FORBIDDEN is that silent connections keep anybody out.
   */
  @ParameterizedTest
  @ValueSource(strings = {"", "GET /metr", ASKS})
  void metrics_besideMoreConnectionsThanThereMayBe_areAnswered(String sent) throws Exception {
    try (TestServer server = TestServer.start("--http-wait=60s")) {
      for (int i = 0; i < MANY; i++) {
        connect(server, sent.equals(ASKS) ? ASKS.repeat(UNREAD) : sent);
      }

      assertAnswers(server);

      assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"http_connections\"}"))
          .isGreaterThanOrEqualTo(MANY - HttpConnections.MAX);
      assertThat(server.descriptors("socket:")).isLessThan(HttpConnections.MAX + 50);
      assertThat(server.stopWithoutStackTrace())
          .contains("client cut off: by TCP limit=http-connections: ");
    }
  }

  /** FORBIDDEN: the connection that waits for news of the map counts as one without progress. */
  @Test
  void map_besideMoreConnectionsThanThereMayBe_keepsItsWatcher() throws Exception {
    try (TestServer server = TestServer.start("--http-wait=60s")) {
      URI here = URI.create(server.httpUrl());
      String key = "/?" + URI.create(server.mapUrl()).getQuery();
      String cookie;
      try (MapVisitor visitor = MapVisitor.get(here, key)) {
        cookie = "Cookie: " + visitor.header("set-cookie").split(";", -1)[0];
      }
      try (MapVisitor watcher = MapVisitor.get(here, "/events", cookie)) {
        for (int i = 0; i < 2 * MANY; i++) {
          connect(server, "GET");
        }
        assertAnswers(server);

        for (int heartbeats = 0; heartbeats < 3; heartbeats++) {
          assertThat(watcher.next("event: ")).isNotEmpty();
        }
      }
      var _ = server.stopWithoutStackTrace();
    }
  }

  private static void awaitEnd(Callable<Boolean> ended) {
    await().atMost(Duration.ofMinutes(1)).until(ended);
  }

  private static double tooLate(TestServer server) {
    return server.metric("pagetide_clients_cut_off_total{limit=\"http_wait\"}");
  }

  @Test
  void client_thatAsksAndNeverReads_isHungUpOn() throws Exception {
    try (TestServer server = TestServer.start("--http-wait=200ms")) {
      RawHttpClient client = connect(server, ASKS.repeat(UNREAD));

      // What the client sends into a closed connection fails at last.
      awaitEnd(() -> !client.send("\r\n"));

      assertThat(tooLate(server)).isOne();
      assertThat(server.stopWithoutStackTrace())
          .contains("limit=--http-wait: it did not take the HTTP answer within --http-wait=200ms");
    }
  }

  @Test
  void client_thatReadsByteByByte_isHungUpOn() throws Exception {
    try (TestServer server = TestServer.start("--http-wait=500ms")) {
      RawHttpClient client = connect(server, ASKS.repeat(UNREAD));

      // It goes on reading what its kernel has got.
      awaitEnd(() -> client.readsEnd() || tooLate(server) == 1);
      awaitEnd(() -> tooLate(server) == 1);
      // What its kernel has got, it can still read.
      for (int bytes = 0; !client.readsEnd(); bytes++) {
        assertThat(bytes).isLessThan(1 << 20);
      }

      var _ = server.stopWithoutStackTrace();
    }
  }

  @Test
  void client_thatSendsByteByByte_isHungUpOn() throws Exception {
    try (TestServer server = TestServer.start("--http-wait=500ms")) {
      RawHttpClient client = connect(server, "GET /metrics HTTP/1.1\r\nHost: ");

      awaitEnd(() -> !client.send("x"));

      assertThat(tooLate(server)).isOne();
      assertThat(server.stopWithoutStackTrace())
          .contains("limit=--http-wait: its HTTP request did not come within --http-wait=500ms");
    }
  }

  @Test
  void client_thatIsSilent_isHungUpOnAndNotCalledHostile() throws Exception {
    try (TestServer server = TestServer.start("--http-wait=200ms")) {
      RawHttpClient fresh = connect(server, "");
      RawHttpClient used = connect(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
      assertThat(used.readUntil("ok\n")).startsWith("HTTP/1.1 200 OK\r\n");

      awaitEnd(fresh::readsEnd);
      awaitEnd(used::readsEnd);

      assertThat(tooLate(server)).isZero();
      assertThat(server.stopWithoutStackTrace()).doesNotContain("cut off");
    }
  }
}
