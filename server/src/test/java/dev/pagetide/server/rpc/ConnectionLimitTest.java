package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Connections above the limit. */
@Promise(32)
final class ConnectionLimitTest {
  private static ConnectionLimit limit(int max, int maxPerUid) {
    return new ConnectionLimit(
        new ConnectionConfig(max, maxPerUid), Duration.ofSeconds(10), CutOffObserver.NONE);
  }

  @Test
  void enter_uidHasItsConnections_isRefusedToItAndNotToOthers() {
    ConnectionLimit limit = limit(4, 2);
    assertThat(limit.enter(1000)).isTrue();
    assertThat(limit.enter(1000)).isTrue();

    assertThat(limit.enter(1000)).isFalse();

    assertThat(limit.enter(1001)).isTrue();
    assertThat(limit.enter(1002)).isTrue();
    assertThat(limit.enter(1003)).as("the fifth of all").isFalse();
  }

  @Test
  void leave_lastConnectionOfAUid_keepsNothingOfIt() {
    ConnectionLimit limit = limit(4, 2);
    assertThat(limit.enter(1000)).isTrue();
    assertThat(limit.enter(1000)).isTrue();

    limit.leave(1000);

    assertThat(limit.users()).isEqualTo(1);
    assertThat(limit.enter(1000)).isTrue();
    limit.leave(1000);
    limit.leave(1000);
    assertThat(limit.users()).isZero();
  }

  @Test
  @WithServer({"--max-connections=20", "--request-wait=60s"})
  void connect_aboveTheLimit_isToldWhyAndOthersAreServed(TestServer server) throws Exception {
    RawSession good = RawSession.open(server.connect(), 4);
    UnixDomainSocketAddress socket =
        UnixDomainSocketAddress.of(server.target().substring("unix:".length()));
    List<SocketChannel> silent = new ArrayList<>();
    try {
      for (int connection = 0; connection < 40; connection++) {
        silent.add(SocketChannel.open(StandardProtocolFamily.UNIX));
        assertThat(silent.getLast().connect(socket)).isTrue();
      }
      Awaitility.await()
          .until(() ->
              server.metric("pagetide_clients_cut_off_total{limit=\"max_connections\"}") == 21);
      // Those that were refused before it may stay for a moment; then there is room for the reason.
      Awaitility.await()
          .untilAsserted(() -> {
            // Ended, because it would try again by itself, and take the place that becomes free.
            ManagedChannel attempt = server.connect();
            try {
              Refusal.of(() -> RawSession.open(attempt, 1))
                  .is(Code.UNAVAILABLE, "", "as many connections as --max-connections=20");
            } finally {
              attempt.shutdownNow();
            }
          });
      ManagedChannel refused = server.connect();
      assertThat(Refusal.of(() -> RawSession.open(refused, 1)).code()).isEqualTo(Code.UNAVAILABLE);

      assertThat(good.use(0, 4)).hasSize(1);
      silent.getFirst().close();
      // The client tries again by itself.
      Awaitility.await()
          .ignoreExceptions()
          .untilAsserted(() -> assertThat(RawSession.open(refused, 1).token()).isNotEmpty());
    } finally {
      for (SocketChannel connection : silent) {
        connection.close();
      }
    }
    // Every place is free again.
    List<RawHttp2> more = new ArrayList<>();
    try {
      Awaitility.await()
          .ignoreExceptions()
          .until(() -> {
            more.add(RawHttp2.connect(server.target()));
            return more.size() == 18;
          });
    } finally {
      for (RawHttp2 connection : more) {
        connection.close();
      }
    }
  }
}
