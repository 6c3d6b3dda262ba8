package dev.pagetide.client;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.pagetide.v1.Draining;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.ReadResponse;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.StopUsingRangeResponse;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WriteRequest;
import dev.pagetide.v1.WriteResponse;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * A server in this process that answers as a test tells it to: for what a real one does too rarely.
 */
final class FakeServer extends PageRangeServiceGrpc.PageRangeServiceImplBase
    implements AutoCloseable {

  static final int PAGE_SIZE = 16;
  static final int PAGE_COUNT = 64;
  static final int MAX_DATA_BYTES = 32;

  /** How a use is answered: returns the fresh pages, throws a status, or null to never answer. */
  interface UseAnswer {
    @Nullable UseRangeResponse answer(UseRangeRequest request);
  }

  /** The range's bytes. */
  final byte[] bytes = new byte[PAGE_SIZE * PAGE_COUNT];

  final List<ReadRequest> reads = new CopyOnWriteArrayList<>();
  final List<WriteRequest> writes = new ArrayList<>();
  final Deque<UseAnswer> uses = new ArrayDeque<>();
  private final List<StreamObserver<StopUsingRangeResponse>> stops = new ArrayList<>();
  final CompletableFuture<Void> sessionCancelled = new CompletableFuture<>();
  final CompletableFuture<Void> readCancelled = new CompletableFuture<>();

  Opened opened =
      Opened.newBuilder()
          .setSession("secret")
          .setRangeId(7)
          .setPageSize(PAGE_SIZE)
          .setPageCount(PAGE_COUNT)
          .setMaxDataBytes(MAX_DATA_BYTES)
          .setServerInstance(99)
          .build();

  boolean answerOpen = true;

  /** Whether stops are answered; if not, {@link #answerStops} does it. */
  boolean answersStops = true;

  /** Whether a Read is never answered. */
  boolean holdReads;

  int refuseWritesAfter = Integer.MAX_VALUE;
  boolean openHadDeadline;

  @Nullable StreamObserver<OpenRangeResponse> session;

  private final Server server;
  private final String name;

  FakeServer() {
    name = InProcessServerBuilder.generateName();
    try {
      server =
          InProcessServerBuilder.forName(name).directExecutor().addService(this).build().start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  PagetideClient client() {
    return client(ClientOptions.DEFAULT);
  }

  PagetideClient client(ClientOptions options) {
    return new PagetideClient(
        InProcessChannelBuilder.forName(name).directExecutor().build(), options);
  }

  static StatusRuntimeException refusal(Status.Code code, String reason, String message) {
    return refusal(code, reason, message, Duration.ZERO);
  }

  static StatusRuntimeException refusal(
      Status.Code code, String reason, String message, Duration retry) {
    com.google.rpc.Status.Builder status =
        com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(message);
    status.addDetails(
        Any.pack(ErrorInfo.newBuilder().setDomain("pagetide").setReason(reason).build()));
    if (!retry.isZero()) {
      status.addDetails(
          Any.pack(
              RetryInfo.newBuilder()
                  .setRetryDelay(
                      com.google.protobuf.Duration.newBuilder()
                          .setSeconds(retry.toSeconds())
                          .setNanos(retry.toNanosPart()))
                  .build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  void drain(int waitMillis) {
    StreamObserver<OpenRangeResponse> stream = session;
    if (stream == null) {
      throw new IllegalStateException("no session");
    }
    stream.onNext(
        OpenRangeResponse.newBuilder()
            .setDraining(Draining.newBuilder().setDrainWaitMs(waitMillis))
            .build());
  }

  void endSession(@Nullable StatusRuntimeException failure) {
    StreamObserver<OpenRangeResponse> stream = session;
    if (stream == null) {
      throw new IllegalStateException("no session");
    }
    if (failure == null) {
      stream.onCompleted();
    } else {
      stream.onError(failure);
    }
  }

  /** Breaks every connection, as the death of a server process does. */
  void die() {
    server.shutdownNow();
  }

  @Override
  public void openRange(OpenRangeRequest request, StreamObserver<OpenRangeResponse> responses) {
    Deadline deadline = Context.current().getDeadline();
    openHadDeadline = deadline != null;
    session = responses;
    ((ServerCallStreamObserver<OpenRangeResponse>) responses)
        .setOnCancelHandler(() -> sessionCancelled.complete(null));
    if (answerOpen) {
      responses.onNext(OpenRangeResponse.newBuilder().setOpened(opened).build());
    }
  }

  @Override
  public void useRange(UseRangeRequest request, StreamObserver<UseRangeResponse> responses) {
    UseAnswer next = uses.isEmpty() ? any -> UseRangeResponse.getDefaultInstance() : uses.remove();
    try {
      UseRangeResponse answer = next.answer(request);
      if (answer != null) {
        responses.onNext(answer);
        responses.onCompleted();
      }
    } catch (StatusRuntimeException e) {
      responses.onError(e);
    }
  }

  @Override
  public void stopUsingRange(
      StopUsingRangeRequest request, StreamObserver<StopUsingRangeResponse> responses) {
    if (answersStops) {
      answer(responses);
    } else {
      stops.add(responses);
    }
  }

  private static void answer(StreamObserver<StopUsingRangeResponse> responses) {
    responses.onNext(StopUsingRangeResponse.getDefaultInstance());
    responses.onCompleted();
  }

  /** Answers the stops that wait for it; tells how many. */
  int answerStops() {
    int answered = stops.size();
    stops.forEach(FakeServer::answer);
    stops.clear();
    return answered;
  }

  @Override
  public void read(ReadRequest request, StreamObserver<ReadResponse> responses) {
    reads.add(request);
    if (holdReads) {
      ((ServerCallStreamObserver<ReadResponse>) responses)
          .setOnCancelHandler(() -> readCancelled.complete(null));
      return;
    }
    responses.onNext(
        ReadResponse.newBuilder()
            .setData(ByteString.copyFrom(bytes, (int) request.getOffset(), request.getLength()))
            .build());
    responses.onCompleted();
  }

  @Override
  public void write(WriteRequest request, StreamObserver<WriteResponse> responses) {
    if (writes.size() >= refuseWritesAfter) {
      responses.onError(
          refusal(Status.Code.FAILED_PRECONDITION, "PAGE_NOT_USED", "page 4 is AVAILABLE"));
      return;
    }
    writes.add(request);
    request.getData().copyTo(bytes, (int) request.getOffset());
    responses.onNext(WriteResponse.getDefaultInstance());
    responses.onCompleted();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
