package dev.pagetide.client.handover;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A unary call a message; its response is the answer, or empty. */
final class RelayedUnary extends RelayedGrpc {
  /** Calls at once; more of them are not quicker. */
  @Override
  public int window(int sizeBytes) {
    return Math.clamp((2 << 20) / Math.max(1, sizeBytes), 4, 64);
  }

  @Override
  ProducerEnd producer(ManagedChannel relay, Runnable close) {
    return new Producer(relay, close);
  }

  private static final class Producer implements ProducerEnd {
    private final ManagedChannel relay;
    private final Runnable close;
    private final Answers answers = new Answers();
    private RawBytes message = RawBytes.ofLength(0);

    Producer(ManagedChannel relay, Runnable close) {
      this.relay = relay;
      this.close = close;
    }

    @Override
    public void begin(Phase phase) {
      message = RawBytes.ofLength(phase.sizeBytes());
    }

    @Override
    public MemorySegment buffer() {
      return message.segment();
    }

    @Override
    public void send() {
      ClientCall<RawBytes, RawBytes> call = relay.newCall(RawBytes.UNARY, CallOptions.DEFAULT);
      call.start(new Response(answers), new Metadata());
      call.request(2);
      call.sendMessage(message);
      call.halfClose();
    }

    @Override
    public long awaitAnswer() throws IOException, InterruptedException {
      return answers.await();
    }

    @Override
    public void close() {
      close.run();
    }
  }

  private static final class Response extends ClientCall.Listener<RawBytes> {
    private final Answers answers;

    Response(Answers answers) {
      this.answers = answers;
    }

    @Override
    public void onMessage(RawBytes response) {
      if (response.length() > 0) {
        answers.add(response.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, 0));
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (!status.isOk()) {
        answers.fail(status);
      }
    }
  }
}
