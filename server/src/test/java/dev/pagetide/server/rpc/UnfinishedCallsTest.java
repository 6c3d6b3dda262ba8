package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Clients that begin calls and do not finish them. */
@Promise(32)
final class UnfinishedCallsTest {
  private static final String USE_RANGE = "/pagetide.v1.PageRangeService/UseRange";

  @Test
  @WithServer({"--max-requests-in-flight=100", "--request-wait=60s"})
  void useRange_threeConnectionsUseUpTheLimit_isServedToTheOthersOfThatUid(TestServer server)
      throws Exception {
    RawSession good = RawSession.open(server.connect(), 4);
    List<RawHttp2> hostile = new ArrayList<>();
    try {
      for (int connection = 0; connection < 3; connection++) {
        RawHttp2 bad = RawHttp2.connect(server.target());
        hostile.add(bad);
        for (int call = 0; call < 60; call++) {
          int _ = bad.startCall(USE_RANGE, 1000);
        }
        Awaitility.await().until(() -> bad.endedCalls() >= 10);
      }

      assertThat(good.use(0, 4)).hasSize(1);
      RawSession another = RawSession.open(server.connect(), 1);
      assertThat(another.use(0, 1)).hasSize(1);
      // Each of the first two has its share, 50, of which 42 count for all; 8 of the last do not.
      int admitted = 8 + 100 - 2 * 42;
      RawHttp2 last = hostile.getLast();
      Awaitility.await("refused").until(() -> last.endedCalls() == 60 - admitted);
    } finally {
      for (RawHttp2 bad : hostile) {
        bad.close();
      }
    }
  }

  @Test
  @WithServer("--request-wait=200ms")
  void useRange_neverAllThere_isEndedAfterTheWait(TestServer server) throws Exception {
    RawSession good = RawSession.open(server.connect(), 4);
    int _ = good.use(0, 4).size();
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      for (int call = 0; call < 300; call++) {
        int _ = bad.startCall(USE_RANGE, 1000);
      }

      Awaitility.await().until(() -> bad.endedCalls() == 300);
    }
    assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"request_wait\"}"))
        .isEqualTo(300);
    assertThat(good.map()).as("a session's stream is no request").isEqualTo("UUUU");
  }

  @Test
  @WithServer("--request-wait=200ms")
  void exchange_withoutAttach_isEndedAfterTheWait(TestServer server) {
    RawEndpoint attached = RawEndpoint.open(server.connect(), "attached", 4);
    ManagedChannel channel = server.connect();
    RawEndpoint silent =
        RawEndpoint.start(channel, RawEndpoint.session(channel, "silent", 4), true);

    Refusal refusal = Refusal.of(silent.end());

    refusal.is(Code.DEADLINE_EXCEEDED, "REQUEST_TOO_LATE", "--request-wait=200ms");
    assertThat(refusal.retryMayHelp()).isTrue();
    assertThat(attached.allocate(100)).as("the stream that has its session").isNotNegative();
  }

  @Test
  @WithServer("--request-wait=200ms")
  void connection_thatDoesNotBeginHttp2_isClosedAfterTheWait(TestServer server) throws Exception {
    RawSession good = RawSession.open(server.connect(), 4);
    int _ = good.use(0, 4).size();
    try (SocketChannel silent = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      boolean connected =
          silent.connect(UnixDomainSocketAddress.of(server.target().substring("unix:".length())));
      assertThat(connected).isTrue();
      int _ = silent.write(ByteBuffer.wrap("PRI * HTTP/2.0".getBytes(StandardCharsets.US_ASCII)));
      silent.configureBlocking(false);
      ByteBuffer input = ByteBuffer.allocate(1 << 12);

      Awaitility.await().until(() -> silent.read(input.clear()) < 0);
    }
    assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"request_wait\"}"))
        .isEqualTo(1);
    assertThat(good.map()).isEqualTo("UUUU");
  }

  @Test
  @WithServer("--idle-wait=1s")
  void connection_withoutACall_isClosedAfterTheIdleWaitUnlessItHasASession(TestServer server) {
    ManagedChannel busy = server.connect();
    RawSession session = RawSession.open(busy, 4);
    ManagedChannel idle = server.connect();
    RawSession.open(idle, 1).cancel();

    Awaitility.await().until(() -> idle.getState(false) == ConnectivityState.IDLE);

    assertThat(busy.getState(false)).isEqualTo(ConnectivityState.READY);
    assertThat(session.map()).isEqualTo("....");
    RawSession.open(idle, 1).cancel(); // it has connected again
  }
}
