package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** {@code /healthz} and {@code /ready}: for orchestrators, without a key. */
final class ProbesTest {
  private static HttpResponse<String> get(TestServer server, String path) {
    return server.http(HttpRequest.newBuilder(), path);
  }

  @Test
  void probes_ofAServerThatServes_areOkWithoutAKeyAndUnderAnyName() throws Exception {
    for (String http : List.of("--http=127.0.0.1:0", "--http=0.0.0.0:0")) {
      try (TestServer server = TestServer.start(http)) {
        for (String path : List.of("/healthz", "/ready")) {
          assertThat(get(server, path).statusCode()).as(http + path).isEqualTo(200);
          assertThat(get(server, path).body()).as(http + path).isEqualTo("ok\n");
          URI here = URI.create("http://127.0.0.1:" + URI.create(server.httpUrl()).getPort());
          try (MapVisitor head = new MapVisitor(here, "HEAD " + path, "Host: pod.example")) {
            assertThat(head.status()).as(http + path).isEqualTo(200);
          }
        }
        var _ = server.stopWithoutStackTrace();
      }
    }
  }

  @Test
  void probes_otherMethods_areRefused() throws Exception {
    try (TestServer server = TestServer.start()) {
      URI here = URI.create(server.httpUrl());
      for (String method : List.of("POST", "PUT", "DELETE", "OPTIONS")) {
        for (String path : List.of("/healthz", "/ready")) {
          try (MapVisitor visitor =
              new MapVisitor(
                  here, method + " " + path, "Host: " + here.getAuthority(), "Content-Length: 0")) {
            assertThat(visitor.status()).as(method + path).isEqualTo(405);
            assertThat(visitor.header("allow")).isEqualTo("GET, HEAD");
          }
        }
      }
      var _ = server.stopWithoutStackTrace();
    }
  }

  @Test
  void ready_whileTheServerDrains_is503AndHealthzStaysOk() throws Exception {
    try (TestServer server = TestServer.start("--drain-wait=600s")) {
      RawSession session = RawSession.open(server.connect(), 4);

      server.process().requestTermination();

      Awaitility.await().until(() -> get(server, "/ready").statusCode() == 503);
      assertThat(get(server, "/ready").body())
          .isEqualTo("not ready: the server is starting or stopping\n");
      assertThat(get(server, "/healthz").statusCode()).isEqualTo(200);
      session.cancel();
      assertThat(server.process().awaitExit()).isEqualTo(0);
    }
  }

  @Test
  void metrics_askedForByHead_areAnsweredWithoutABodyAndNothingIsLogged() throws Exception {
    try (TestServer server = TestServer.start()) {
      HttpResponse<String> get = get(server, "/metrics");
      HttpResponse<String> head = server.http(HttpRequest.newBuilder().HEAD(), "/metrics");

      assertThat(head.statusCode()).isEqualTo(200);
      assertThat(head.body()).isEmpty();
      assertThat(head.headers().firstValue("Content-Type"))
          .isPresent()
          .isEqualTo(get.headers().firstValue("Content-Type"));
      assertThat(get.body()).contains("pagetide_sessions");
      assertThat(server.stopWithoutStackTrace()).doesNotContainIgnoringCase("head");
    }
  }
}
