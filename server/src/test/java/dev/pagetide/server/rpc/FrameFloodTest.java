package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import io.netty.handler.codec.http2.Http2Error;
import java.io.ByteArrayOutputStream;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Clients that flood a real server with frames that bring no call any further. */
@Promise(32)
@WithServer
final class FrameFloodTest {
  private static final int BATCH = 100;
  private static final String CALL = "/pagetide.v1.PageRangeService/UseRange";
  private static final int CANCEL = 8;

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  /** Floods until the end; between the batches a neighbour on another connection is served. */
  private void flood(RawHttp2 bad, String limit, Callable<byte[]> batches) throws Exception {
    RawSession neighbour = RawSession.open(server.connect(), 4);
    int[] calls = {0};

    OptionalInt end =
        bad.floodUntilEnded(
            () -> {
              if (calls[0]++ % 10 == 0) {
                assertThat(neighbour.use(0, 4)).isNotNull();
                neighbour.stop(0, 4);
              }
              return batches.call();
            },
            1_000);

    assertThat(end).hasValue((int) Http2Error.ENHANCE_YOUR_CALM.code());
    assertThat(neighbour.use(0, 4)).isNotNull();
    assertThat(server.metric("pagetide_clients_cut_off_total{limit=\"" + limit + "\"}"))
        .isEqualTo(1);
    assertThat(server.metric("pagetide_sessions")).isEqualTo(1);
  }

  /** Type, flags and length of the frame; WINDOW_UPDATE and PRIORITY need a payload that is one. */
  @ParameterizedTest
  @CsvSource({
    "4, 0, 0, http2_control",
    "2, 0, 5, http2_control",
    "99, 0, 0, http2_control",
    "8, 0, 4, http2_updates",
    "6, 1, 8, http2_updates"
  })
  void connection_floodOfOneFrame_isEndedAndTheNeighbourServed(
      int type, int flags, int length, String limit) throws Exception {
    byte[] payload = new byte[length];
    if (length > 0) {
      payload[length - 1] = 1;
    }
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      int stream = type == 2 ? 1001 : 0;
      byte[] frame = RawHttp2.frameBytes(type, flags, stream, payload);

      flood(bad, limit, () -> times(frame));
    }
  }

  private static byte[] times(byte[] frame) {
    ByteArrayOutputStream batch = new ByteArrayOutputStream();
    for (int i = 0; i < BATCH; i++) {
      batch.writeBytes(frame);
    }
    return batch.toByteArray();
  }

  @Test
  void connection_floodOfEmptyData_isEndedAndTheNeighbourServed() throws Exception {
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      int stream = bad.startCall(CALL, 1);

      flood(bad, "http2_control", () -> times(RawHttp2.frameBytes(0, 0, stream, new byte[0])));
    }
  }

  @Test
  void connection_callsThatAreResetAtOnce_isEndedAndTheNeighbourServed() throws Exception {
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      flood(
          bad,
          "http2_resets",
          () -> {
            ByteArrayOutputStream batch = new ByteArrayOutputStream();
            for (int i = 0; i < BATCH; i++) {
              batch.writeBytes(bad.nextHeaders(CALL));
              batch.writeBytes(
                  RawHttp2.frameBytes(3, 0, bad.lastStream(), new byte[] {0, 0, 0, CANCEL}));
            }
            return batch.toByteArray();
          });
    }
  }

  /** gRPC itself ends such a connection. */
  @Test
  void connection_floodOfPings_isEnded() throws Exception {
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      byte[] ping = RawHttp2.frameBytes(6, 0, 0, new byte[8]);

      assertThat(bad.floodUntilEnded(() -> times(ping), 1_000))
          .hasValue((int) Http2Error.ENHANCE_YOUR_CALM.code());
    }
  }
}
