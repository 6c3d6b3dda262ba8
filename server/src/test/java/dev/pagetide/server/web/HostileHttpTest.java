package dev.pagetide.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients that hold connections of the HTTP listener: everybody on this host can open them. */
@WithServer
final class HostileHttpTest {
  /** More than the connections that a server had at once before they were bounded by time. */
  private static final int MANY = 300;

  private static final String ASKS = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

  private final List<Socket> hostile = new ArrayList<>();

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @AfterEach
  void hangUp() throws IOException {
    for (Socket socket : hostile) {
      socket.close();
    }
  }

  /** A connection that sends a text and takes at most what its small buffer holds. */
  private Socket connect(String text) throws IOException {
    Socket socket = new Socket();
    hostile.add(socket);
    socket.setReceiveBufferSize(1024);
    URI here = URI.create(server.httpUrl());
    socket.connect(new InetSocketAddress(here.getHost(), here.getPort()));
    try {
      socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    } catch (SocketException e) {
      // The server has hung up already.
    }
    return socket;
  }

  private void assertAnswers(String path) {
    await()
        .atMost(Duration.ofMinutes(1))
        .ignoreExceptions()
        .until(() -> server.http(HttpRequest.newBuilder(), path).statusCode() == 200);
  }

  @Test
  void metrics_besideClientsThatAskAndNeverRead_areAnswered() throws Exception {
    for (int i = 0; i < MANY; i++) {
      connect(ASKS.repeat(20));
    }

    for (String path : List.of("/metrics", "/healthz", "/ready")) {
      assertAnswers(path);
    }
  }

  @Test
  void client_thatAsksAndNeverReads_isHungUpOn() throws Exception {
    Socket socket = connect(ASKS.repeat(200));

    // What the server never sent does not come when the client reads at last.
    await().atMost(Duration.ofMinutes(1)).until(() -> !stillSends(socket));

    assertThat(server.http(HttpRequest.newBuilder(), "/metrics").statusCode()).isEqualTo(200);
  }

  private static boolean stillSends(Socket socket) {
    try {
      socket.setSoTimeout(1);
      socket.getOutputStream().write("\r\n".getBytes(StandardCharsets.US_ASCII));
      return true;
    } catch (SocketTimeoutException e) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
