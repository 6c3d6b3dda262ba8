package dev.pagetide.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One channel's unary calls, each with a deadline, as futures that fail with {@link
 * PagetideException} only. Cancelling a future cancels its call.
 */
final class UnaryCalls {

  private final Channel channel;
  private final ClientOptions options;

  UnaryCalls(Channel channel, ClientOptions options) {
    this.channel = channel;
    this.options = options;
  }

  /** How its client behaves. */
  ClientOptions options() {
    return options;
  }

  /** A deadline that starts now: for one operation, of one or several calls. */
  Deadline deadline() {
    return Deadline.after(options.callTimeout().toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Sends {@code request}; the answer goes through {@code convert} before the future has it. */
  <Q, A, R> CompletableFuture<R> call(
      MethodDescriptor<Q, A> method, Q request, Deadline deadline, Function<A, R> convert) {
    CompletableFuture<R> future = new CompletableFuture<>();
    ClientCall<Q, A> call = channel.newCall(method, CallOptions.DEFAULT.withDeadline(deadline));
    ClientCalls.asyncUnaryCall(
        call, request, new Answer<>(String.valueOf(method.getBareMethodName()), convert, future));
    // A no-op once the call has ended; else the caller gave up, and the server should know.
    var _ =
        future.whenComplete((answer, failure) -> {
          if (failure != null) {
            call.cancel("the caller gave up", null);
          }
        });
    return future;
  }

  /** The observer that hands one answer to one future. */
  private static final class Answer<A, R> implements StreamObserver<A> {

    private final String rpc;
    private final Function<A, R> convert;
    private final CompletableFuture<R> future;
    private @Nullable A answer;

    Answer(String rpc, Function<A, R> convert, CompletableFuture<R> future) {
      this.rpc = rpc;
      this.convert = convert;
      this.future = future;
    }

    @Override
    public void onNext(A value) {
      answer = value;
    }

    @Override
    public void onError(Throwable t) {
      PagetideException failure = StatusMapping.exception(rpc, t);
      Blocking.deliver(() -> future.completeExceptionally(failure));
    }

    @Override
    public void onCompleted() {
      A received = answer;
      if (received == null) {
        onError(Status.INTERNAL.withDescription("no message in the answer").asRuntimeException());
        return;
      }
      R converted;
      try {
        converted = convert.apply(received);
      } catch (Throwable e) {
        PagetideException failure = notUnderstood(e);
        Blocking.deliver(() -> future.completeExceptionally(failure));
        return;
      }
      Blocking.deliver(() -> future.complete(converted));
    }

    /** The server has done the call, and nobody knows what it says of it. */
    private PagetideException notUnderstood(Throwable cause) {
      return cause instanceof PagetideException said
          ? said.withUnknownOutcome()
          : new PagetideException(
              StatusCode.INTERNAL,
              null,
              rpc + ": the server's answer cannot be understood: " + cause,
              null,
              true,
              0,
              cause);
    }
  }
}
