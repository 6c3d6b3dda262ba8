package dev.pagetide.server.kit;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import dev.pagetide.v1.Draining;
import dev.pagetide.v1.FillZeroRequest;
import dev.pagetide.v1.GetRangeRequest;
import dev.pagetide.v1.GetRangeResponse;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.PageRangeServiceGrpc.PageRangeServiceBlockingStub;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.PageState;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.StateRun;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import dev.pagetide.v1.WriteRequest;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** A session as a client in any language has it: an OpenRange stream, and requests by its token. */
public final class RawSession
    implements ClientResponseObserver<OpenRangeRequest, OpenRangeResponse> {
  public static final int PAGE = 4096;
  private static final long WAIT_SECONDS = 30;

  private final Channel channel;
  private final CompletableFuture<Opened> opened = new CompletableFuture<>();
  private final CompletableFuture<Draining> draining = new CompletableFuture<>();
  private final CompletableFuture<StatusRuntimeException> end = new CompletableFuture<>();
  private @Nullable ClientCallStreamObserver<OpenRangeRequest> call;

  private RawSession(Channel channel) {
    this.channel = channel;
  }

  /** Sends an OpenRange and returns without waiting for its answer. */
  public static RawSession start(Channel channel, String name, long sizeBytes) {
    return start(
        channel, OpenRangeRequest.newBuilder().setName(name).setSizeBytes(sizeBytes).build());
  }

  public static RawSession start(Channel channel, OpenRangeRequest request) {
    RawSession session = new RawSession(channel);
    PageRangeServiceGrpc.newStub(channel).openRange(request, session);
    return session;
  }

  /** Opens a range of so many pages, without a name. */
  public static RawSession open(Channel channel, int pages) {
    return open(channel, "", (long) pages * PAGE);
  }

  /** Opens a range and waits for the first message; a refusal is thrown. */
  public static RawSession open(Channel channel, String name, long sizeBytes) {
    RawSession session = start(channel, name, sizeBytes);
    session.opened();
    return session;
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<OpenRangeRequest> stream) {
    call = stream;
  }

  @Override
  public void onNext(OpenRangeResponse event) {
    switch (event.getEventCase()) {
      case OPENED -> opened.complete(event.getOpened());
      case DRAINING -> draining.complete(event.getDraining());
      case EVENT_NOT_SET -> throw new AssertionError("an empty event");
    }
  }

  @Override
  public void onError(Throwable thrown) {
    StatusRuntimeException status = Status.fromThrowable(thrown).asRuntimeException();
    end.complete(thrown instanceof StatusRuntimeException s ? s : status);
    opened.completeExceptionally(thrown);
    draining.completeExceptionally(thrown);
  }

  @Override
  public void onCompleted() {
    onError(Status.OK.asRuntimeException());
  }

  public Opened opened() {
    return get(opened);
  }

  public void awaitOpenedOrEnded() {
    try {
      var _ = opened();
    } catch (StatusRuntimeException e) {
      // Ended.
    }
  }

  public Draining draining() {
    return get(draining);
  }

  /** What the stream ended with; waits for it. */
  public StatusRuntimeException end() {
    return get(end);
  }

  public boolean hasEnded() {
    return end.isDone();
  }

  /** Ends the session as a client does: by cancelling the stream. */
  public void cancel() {
    ClientCallStreamObserver<OpenRangeRequest> stream = call;
    if (stream != null) {
      stream.cancel("the test ends its session", null);
    }
  }

  /** What a future completes with; waits for it, and throws the status that it fails with. */
  public static <T> T get(CompletableFuture<T> future) {
    try {
      return future.get(WAIT_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StatusRuntimeException status) {
        throw status;
      }
      throw new AssertionError(e.getCause());
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("no answer", e);
    }
  }

  public String token() {
    return opened().getSession();
  }

  public PageRangeServiceBlockingStub stub() {
    return PageRangeServiceGrpc.newBlockingStub(channel)
        .withDeadlineAfter(WAIT_SECONDS, TimeUnit.SECONDS);
  }

  public static PageSpan span(int startPage, int endPage) {
    return PageSpan.newBuilder().setStartPage(startPage).setEndPage(endPage).build();
  }

  public List<PageSpan> use(PageSpan... pages) {
    return use(List.of(pages));
  }

  public List<PageSpan> use(List<PageSpan> pages) {
    return stub()
        .useRange(UseRangeRequest.newBuilder().setSession(token()).addAllPages(pages).build())
        .getFreshList();
  }

  public List<PageSpan> use(int startPage, int endPage) {
    return use(span(startPage, endPage));
  }

  /** Sends a use that may have to wait, and returns without its answer. */
  public ListenableFuture<UseRangeResponse> useLater(int startPage, int endPage) {
    return useLater(startPage, endPage, WaitMode.WAIT_MODE_UNSPECIFIED, WAIT_SECONDS * 1000);
  }

  public ListenableFuture<UseRangeResponse> useLater(
      int startPage, int endPage, WaitMode wait, long deadlineMillis) {
    return PageRangeServiceGrpc.newFutureStub(channel)
        .withDeadlineAfter(deadlineMillis, TimeUnit.MILLISECONDS)
        .useRange(
            UseRangeRequest.newBuilder()
                .setSession(token())
                .addPages(span(startPage, endPage))
                .setWait(wait)
                .build());
  }

  public void stop(PageSpan... pages) {
    stop(List.of(pages));
  }

  public void stop(List<PageSpan> pages) {
    var _ =
        stub()
            .stopUsingRange(
                StopUsingRangeRequest.newBuilder().setSession(token()).addAllPages(pages).build());
  }

  public void stop(int startPage, int endPage) {
    stop(span(startPage, endPage));
  }

  public ByteString read(long offset, int length) {
    return stub()
        .read(
            ReadRequest.newBuilder()
                .setSession(token())
                .setOffset(offset)
                .setLength(length)
                .build())
        .getData();
  }

  public void write(long offset, ByteString data) {
    var _ =
        stub()
            .write(
                WriteRequest.newBuilder()
                    .setSession(token())
                    .setOffset(offset)
                    .setData(data)
                    .build());
  }

  public void fillZero(long offset, long length) {
    var _ =
        stub()
            .fillZero(
                FillZeroRequest.newBuilder()
                    .setSession(token())
                    .setOffset(offset)
                    .setLength(length)
                    .build());
  }

  public GetRangeResponse range() {
    return stub().getRange(GetRangeRequest.newBuilder().setSession(token()).build());
  }

  /**
   * The range's states, one character a page: {@code .} FREE, {@code a} AVAILABLE, {@code U} USED.
   */
  public String map() {
    StringBuilder map = new StringBuilder();
    for (StateRun run : range().getRunsList()) {
      PageSpan pages = run.getPages();
      map.repeat(letter(run.getState()), pages.getEndPage() - pages.getStartPage());
    }
    return map.toString();
  }

  private static char letter(PageState state) {
    return switch (state) {
      case PAGE_STATE_FREE -> '.';
      case PAGE_STATE_AVAILABLE -> 'a';
      case PAGE_STATE_USED -> 'U';
      case PAGE_STATE_UNSPECIFIED, UNRECOGNIZED -> throw new AssertionError(state);
    };
  }
}
