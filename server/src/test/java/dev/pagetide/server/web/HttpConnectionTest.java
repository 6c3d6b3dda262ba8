package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import java.io.IOException;
import java.net.URI;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How the listener speaks HTTP: one request after the other on a connection, and odd ones. */
@WithServer
final class HttpConnectionTest {
  private static final String PROBE = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  private static final String OK = "HTTP/1.1 200 OK\r\n";

  @SuppressWarnings("NullAway.Init")
  private URI here;

  @BeforeEach
  void startServer(TestServer server) {
    here = URI.create(server.httpUrl());
  }

  private RawHttpClient connect() throws IOException {
    return new RawHttpClient(here);
  }

  /** The whole answer to a text after which the server hangs up. */
  private String answer(String text) throws IOException {
    try (RawHttpClient client = connect()) {
      assertThat(client.send(text)).isTrue();
      return client.readAll();
    }
  }

  @Test
  void connection_afterAnAnswer_takesTheNextRequest() throws Exception {
    try (RawHttpClient client = connect()) {
      for (int i = 0; i < 3; i++) {
        assertThat(client.send(PROBE)).isTrue();
        assertThat(client.readUntil("\r\n\r\nok\n"))
            .startsWith(OK)
            .contains("content-length: 3\r\n", "date: ")
            .doesNotContain("connection: close");
      }
    }
  }

  @Test
  void requests_sentAtOnce_areAnsweredInTheirOrder() throws Exception {
    int times = 100;
    try (RawHttpClient client = connect()) {
      String nothing = "GET /nothing HTTP/1.1\r\nHost: " + here.getAuthority() + "\r\n\r\n";
      assertThat(client.send((PROBE + nothing).repeat(times))).isTrue();

      for (int i = 0; i < times; i++) {
        assertThat(client.readUntil("ok\n")).startsWith(OK);
        assertThat(client.readUntil(" are here\n")).startsWith("HTTP/1.1 404 Not Found\r\n");
      }
    }
  }

  @Test
  void requests_behindOneForTheEvents_areAnswered() throws Exception {
    // The thread that would send the events gives up the request after it has answered it.
    String events = "HEAD /events HTTP/1.1\r\nHost: " + here.getAuthority() + "\r\n\r\n";
    for (int i = 0; i < 20; i++) {
      try (RawHttpClient client = connect()) {
        String metrics = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assertThat(client.send(events + metrics)).isTrue();

        assertThat(client.readAll()).contains("pagetide_build_info");
      }
    }
  }

  @Test
  void client_thatEndsItsInput_isAnswered() throws Exception {
    for (String path : new String[] {"/healthz", "/metrics"}) {
      try (RawHttpClient client = connect()) {
        assertThat(client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")).isTrue();
        client.endInput();

        assertThat(client.readAll()).startsWith(OK);
      }
    }
  }

  @Test
  void client_thatEndsItsInputWithinARequest_isHungUpOn() throws Exception {
    try (RawHttpClient client = connect()) {
      assertThat(client.send("GET /healthz HTT")).isTrue();
      client.endInput();

      assertThat(client.readAll()).doesNotContain(OK);
    }
  }

  @Test
  void connection_ofAClientThatWantsItClosed_isClosedAfterTheAnswer() throws Exception {
    assertThat(answer("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        .startsWith(OK)
        .endsWith("\r\n\r\nok\n");
    assertThat(answer("GET /healthz HTTP/1.0\r\n\r\n")).startsWith(OK).endsWith("\r\n\r\nok\n");
  }

  @Test
  void head_ofEveryPath_hasNoBody() throws Exception {
    for (String path : new String[] {"/healthz", "/metrics", "/nothing"}) {
      assertThat(answer("HEAD " + path + " HTTP/1.0\r\n\r\n")).as(path).endsWith("\r\n\r\n");
    }
  }

  @Test
  void request_withABody_isRefusedAndTheNextOneServed() throws Exception {
    try (RawHttpClient client = connect()) {
      assertThat(
              client.send(
                  "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789"
                      + PROBE))
          .isTrue();

      assertThat(client.readUntil("ok\n"))
          .startsWith("HTTP/1.1 405 Method Not Allowed\r\n")
          .contains("allow: GET, HEAD", OK);
    }
  }

  @Test
  void request_thatIsMalformed_isRefusedWithTheConnection() throws Exception {
    assertThat(answer("nonsense\r\n\r\n")).startsWith("HTTP/1.1 400 ");
    assertThat(answer("GET /%zz HTTP/1.1\r\n\r\n")).startsWith("HTTP/1.1 400 ");
    assertThat(answer("GET /" + "x".repeat(8 << 10))).startsWith("HTTP/1.1 414 ");
    assertThat(answer("GET / HTTP/1.1\r\n" + "Cookie: 123456789\r\n".repeat(1000)))
        .startsWith("HTTP/1.1 431 ");
    assertThat(answer("POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + "x".repeat(70_000)))
        .startsWith("HTTP/1.1 413 ");
  }
}
