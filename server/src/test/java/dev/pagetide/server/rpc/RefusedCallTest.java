package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.RangeMode;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Calls that are closed underneath their service. The service learns of it later, and answers
 * meanwhile; that is no fault of the server. Each test ends with a look at the log, which must not
 * have a stack trace.
 */
@WithServer
final class RefusedCallTest {
  private static final byte[] NOT_PROTOBUF = {0x0a, (byte) 0xff};

  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @Test
  void exchange_malformedMessageOnceAttached_isRefusedWithoutAStackTrace() throws Exception {
    ManagedChannel channel = server.connect();
    RawSession session =
        RawSession.start(
            channel,
            OpenRangeRequest.newBuilder()
                .setName("m")
                .setSizeBytes(RawSession.PAGE)
                .setMode(RangeMode.RANGE_MODE_BUFFERS)
                .build());
    byte[] attach =
        ExchangeRequest.newBuilder()
            .setId(1)
            .setAttach(Attach.newBuilder().setSession(session.token()).setReceives(true))
            .build()
            .toByteArray();
    for (int i = 0; i < 20; i++) {
      RawCall call = new RawCall(channel, TransactionServiceGrpc.getExchangeMethod());
      call.send(attach);
      if (i % 2 == 1) {
        assertThat(call.answers.poll(30, TimeUnit.SECONDS)).as("attached").isNotNull();
      }

      call.send(NOT_PROTOBUF);
      call.send(attach);
      call.halfClose();

      call.end().is(Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", "ExchangeRequest");
    }
  }

  /** A call of bytes, whatever its messages are. */
  private static final class RawCall extends ClientCall.Listener<byte[]> {
    private final ClientCall<byte[], byte[]> call;
    private final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
    private final CompletableFuture<Refusal> end = new CompletableFuture<>();

    RawCall(ManagedChannel channel, MethodDescriptor<?, ?> method) {
      this.call =
          channel.newCall(
              MethodDescriptor.newBuilder(new Bytes(), new Bytes())
                  .setType(method.getType())
                  .setFullMethodName(method.getFullMethodName())
                  .build(),
              CallOptions.DEFAULT);
      call.start(this, new Metadata());
      call.request(100);
    }

    void send(byte[] message) {
      call.sendMessage(message);
    }

    void halfClose() {
      call.halfClose();
    }

    Refusal end() throws Exception {
      return end.get(30, TimeUnit.SECONDS);
    }

    @Override
    public void onMessage(byte[] message) {
      answers.add(message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      end.complete(Refusal.of(status.asRuntimeException(trailers)));
    }
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
