package dev.pagetide.client.handover;

import static java.util.Objects.requireNonNull;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One bidirectional call for all messages of a phase, and their answers. The producer waits while
 * the call is not ready for more.
 */
final class RelayedStream extends RelayedGrpc {
  @Override
  public int window(int sizeBytes) {
    return Math.clamp((4 << 20) / Math.max(1, sizeBytes), 4, 512);
  }

  @Override
  ProducerEnd producer(ManagedChannel relay, Runnable close) {
    return new Producer(relay, close);
  }

  private static final class Producer implements ProducerEnd {
    private final ManagedChannel relay;
    private final Runnable close;
    private final Answers answers = new Answers();
    private final Semaphore readiness = new Semaphore(0);
    private RawBytes message = RawBytes.ofLength(0);
    private @Nullable ClientCall<RawBytes, RawBytes> call;

    Producer(ManagedChannel relay, Runnable close) {
      this.relay = relay;
      this.close = close;
    }

    @Override
    public void begin(Phase phase) {
      if (call != null) {
        call.halfClose();
      }
      message = RawBytes.ofLength(phase.sizeBytes());
      call = relay.newCall(RawBytes.STREAM, CallOptions.DEFAULT.withOnReadyThreshold(READY_BYTES));
      call.start(new Response(answers, readiness), new Metadata());
      call.request(Integer.MAX_VALUE);
    }

    @Override
    public MemorySegment buffer() {
      return message.segment();
    }

    @Override
    public void send() throws IOException, InterruptedException {
      ClientCall<RawBytes, RawBytes> open = requireNonNull(call);
      while (!open.isReady()) {
        // A release that came before the last wait ended is one look too many, no more.
        if (!readiness.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          throw new IOException("the stream takes no message for " + PATIENCE_SECONDS + " s");
        }
      }
      open.sendMessage(message);
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
    private final Semaphore readiness;

    Response(Answers answers, Semaphore readiness) {
      this.answers = answers;
      this.readiness = readiness;
    }

    @Override
    public void onReady() {
      readiness.release();
    }

    @Override
    public void onMessage(RawBytes answer) {
      answers.add(answer.segment().get(ValueLayout.JAVA_LONG_UNALIGNED, 0));
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (!status.isOk()) {
        answers.fail(status);
      }
    }
  }
}
