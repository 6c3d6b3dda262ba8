package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** How much of what a client sends lies with a server that takes nothing of it. */
@Promise(32)
@WithServer
final class ConnectionWindowTest {
  /** The window of HTTP/2 before the server has said how large its own is. */
  private static final long FIRST_WINDOW_BYTES = 65_535;

  @Test
  void window_ofAConnection_isWhatTheServerCanKeepForEach(TestServer server) throws Exception {
    try (RawHttp2 client = RawHttp2.connect(server.target())) {
      Awaitility.await().until(() -> client.windowBytes() > FIRST_WINDOW_BYTES);

      assertThat(client.windowBytes()).isEqualTo(PeerNegotiator.WINDOW_BYTES);
    }
  }
}
