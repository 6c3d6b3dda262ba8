package dev.pagetide.server.rpc;

import static dev.pagetide.server.kit.RawSession.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ReadRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients that do what no library does. */
@Promise(32)
@WithServer
final class HostileClientTest {
  private static final int MAX_DATA = 1024 * 1024;
  private static final int RANGE_PAGES = 1024;

  /**
   * A server of these tests has 256 MiB of heap and as much for buffers beside it: a quarter of a
   * thousand answers would be its end, and it says so. The whole process stays below this.
   */
  private static final long MOST_PEAK_BYTES = 400L * 1024 * 1024;

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @Test
  void anyRpc_messageThatIsNotProtobuf_isRefused() {
    ManagedChannel channel = server.connect();
    RawSession session = RawSession.open(channel, 1);
    byte[] notProtobuf = {(byte) 0xff, (byte) 0xff, 7, 0, 1};

    for (MethodDescriptor<?, ?> method :
        List.of(
            PageRangeServiceGrpc.getUseRangeMethod(),
            PageRangeServiceGrpc.getStopUsingRangeMethod(),
            PageRangeServiceGrpc.getReadMethod(),
            PageRangeServiceGrpc.getWriteMethod(),
            PageRangeServiceGrpc.getFillZeroMethod(),
            PageRangeServiceGrpc.getGetRangeMethod(),
            PageRangeServiceGrpc.getOpenRangeMethod())) {
      Refusal refusal =
          Refusal.of(() -> {
            byte[] answer =
                ClientCalls.blockingServerStreamingCall(
                        channel, raw(method), CallOptions.DEFAULT, notProtobuf)
                    .next();
            assertThat(answer).isNull();
          });

      refusal.is(
          Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", "Request", "send one as the contract has it");
      assertThat(refusal.retryMayHelp()).isFalse();
    }

    assertThat(session.map()).as("the session on the same connection").isEqualTo(".");
    assertThat(server.metric("pagetide_sessions")).isEqualTo(1);
  }

  @Test
  void read_aThousandAnswersUnread_isRefusedBeyondTheLimitAndReleasedAfterwards() throws Exception {
    RawSession good = RawSession.open(server.connect(), RANGE_PAGES);
    int _ = good.use(0, RANGE_PAGES).size();
    ManagedChannel bad = server.connectWithFixedWindow();
    RawSession badSession = RawSession.open(bad, RANGE_PAGES);
    badSession.use(0, RANGE_PAGES);

    UnreadReads reads = new UnreadReads(bad, badSession.token());
    for (int i = 0; i < 1000; i++) {
      reads.send();
    }

    // At most 32 answers of 1 MiB are this connection's share; the rest is refused.
    Awaitility.await().until(() -> reads.refused.size() >= 1000 - 32);
    for (StatusRuntimeException status : reads.refused) {
      Refusal refusal = Refusal.of(status);
      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "TOO_MANY_REQUESTS",
          "too many requests in flight on this connection, which may have half of them",
          "--max-requests-in-flight=1024",
          "--max-request-bytes-in-flight=67108864");
      assertThat(refusal.retryMayHelp()).isTrue();
    }
    assertThat(server.peakBytes()).isLessThan(MOST_PEAK_BYTES);
    assertThat(Refusal.of(() -> badSession.read(0, MAX_DATA)).reason())
        .as("the bad client's connection is still over its limit")
        .isEqualTo("TOO_MANY_REQUESTS");

    // Others are served meanwhile.
    assertThat(good.read(0, MAX_DATA).size()).isEqualTo(MAX_DATA);

    reads.cancelAll();
    bad.shutdownNow();
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 1);

    // Everything was released: the whole limit is there again, for one connection after another.
    for (int round = 0; round < 3; round++) {
      ManagedChannel next = server.connect();
      RawSession session = RawSession.open(next, RANGE_PAGES);
      session.use(0, RANGE_PAGES);
      UnreadReads more = new UnreadReads(next, session.token());
      for (int i = 0; i < 24; i++) {
        more.send();
      }
      more.readAll();
      assertThat(more.done.await(30, TimeUnit.SECONDS)).isTrue();
      assertThat(more.refused).isEmpty();
      assertThat(more.answered.get()).isEqualTo(24);
      next.shutdownNow();
    }
  }

  @Test
  void write_thousandsOfBodiesThatNeverEnd_areRefusedBeyondTheLimit() throws Exception {
    RawSession good = RawSession.open(server.connect(), RANGE_PAGES);
    int _ = good.use(0, RANGE_PAGES).size();
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      byte[] part = new byte[16 * 1024];
      // The announced message is never complete: each call has the server keep what has come in.
      for (int call = 0; call < 200; call++) {
        int stream = bad.startCall("/pagetide.v1.PageRangeService/Write", MAX_DATA);
        for (int i = 0; i < 60; i++) {
          bad.sendData(stream, part);
        }
      }

      // 34 of them fill this connection's 32 MiB.
      Awaitility.await().until(() -> bad.endedCalls() >= 160);
      assertThat(bad.endedCalls()).isLessThan(170);
      assertThat(server.peakBytes()).isLessThan(MOST_PEAK_BYTES);
      assertThat(good.read(0, MAX_DATA).size()).isEqualTo(MAX_DATA);
    }
    RawSession after = RawSession.open(server.connect(), RANGE_PAGES);
    assertThat(after.use(0, 1)).hasSize(1);
  }

  @Test
  void anyRpc_socketNeverRead_isNotReadFromEither() throws Exception {
    RawSession good = RawSession.open(server.connect(), RANGE_PAGES);
    int _ = good.use(0, RANGE_PAGES).size();
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      boolean stuck = bad.floodWithoutReading("/pagetide.v1.PageRangeService/GetRange", 2_000_000);

      assertThat(stuck).as("the server stopped reading").isTrue();
      assertThat(good.read(0, MAX_DATA).size()).isEqualTo(MAX_DATA);
      assertThat(server.peakBytes()).isLessThan(MOST_PEAK_BYTES);
    }
    // It is noticed that it went, also while it is not read from.
    Awaitility.await()
        .untilAsserted(() -> assertThat(server.descriptors("socket:")).isLessThan(20));
  }

  @Test
  void openRange_thousandsAtOnce_leaveNothing() throws Exception {
    ManagedChannel channel = server.connect();
    OpenRangeRequest request =
        OpenRangeRequest.newBuilder().setName("x".repeat(200_000)).setSizeBytes(PAGE).build();
    List<RawSession> sessions = new ArrayList<>();
    for (int i = 0; i < 3_000; i++) {
      sessions.add(RawSession.start(channel, request));
    }

    for (RawSession session : sessions) {
      assertThat(session.end().getStatus().getCode())
          .isIn(Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED);
    }

    assertThat(server.metric("pagetide_sessions")).isEqualTo(0);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(0);
    assertThat(server.peakBytes()).isLessThan(MOST_PEAK_BYTES);
    RawSession.open(channel, 1).cancel();
  }

  /** Reads of 1 MiB whose answers nobody asks for. */
  private static final class UnreadReads {
    final Queue<StatusRuntimeException> refused = new ConcurrentLinkedQueue<>();
    final AtomicInteger answered = new AtomicInteger();
    final CountDownLatch done = new CountDownLatch(24);
    private final List<ClientCall<ReadRequest, ?>> calls = new ArrayList<>();
    private final ManagedChannel channel;
    private final ReadRequest request;

    UnreadReads(ManagedChannel channel, String token) {
      this.channel = channel;
      this.request = ReadRequest.newBuilder().setSession(token).setLength(MAX_DATA).build();
    }

    void send() {
      ClientCall<ReadRequest, dev.pagetide.v1.ReadResponse> call =
          channel.newCall(PageRangeServiceGrpc.getReadMethod(), CallOptions.DEFAULT);
      call.start(
          new ClientCall.Listener<>() {
            @Override
            public void onClose(Status status, Metadata trailers) {
              if (status.isOk()) {
                answered.incrementAndGet();
              } else {
                refused.add(status.asRuntimeException(trailers));
              }
              done.countDown();
            }
          },
          new Metadata());
      call.sendMessage(request);
      call.halfClose();
      calls.add(call);
    }

    void cancelAll() {
      calls.forEach(call -> call.cancel("the test is done", null));
    }

    void readAll() {
      calls.forEach(call -> call.request(2));
    }
  }

  private static MethodDescriptor<byte[], byte[]> raw(MethodDescriptor<?, ?> method) {
    return MethodDescriptor.newBuilder(new Bytes(), new Bytes())
        .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
        .setFullMethodName(method.getFullMethodName())
        .build();
  }

  /** Sends and takes what is there. */
  private static final class Bytes implements Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return ByteString.readFrom(stream).toByteArray();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
