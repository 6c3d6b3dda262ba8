package dev.pagetide.client;

import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.PageRangeServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The OpenRange stream of one session: the session lives exactly as long as it does.
 *
 * <p>It has no deadline and belongs to no {@link Context}: either would end the session. Any thread
 * may call any method; the callbacks of one stream come one after the other.
 */
final class SessionStream extends ClientCall.Listener<OpenRangeResponse> {

  private final ClientCall<OpenRangeRequest, OpenRangeResponse> call;
  private final CompletableFuture<Opened> opened = new CompletableFuture<>();
  private final CompletableFuture<DrainNotice> draining = new CompletableFuture<>();
  private final CompletableFuture<SessionEnd> ended = new CompletableFuture<>();
  private volatile boolean closed;
  private volatile @Nullable PagetideException failure;

  private SessionStream(ClientCall<OpenRangeRequest, OpenRangeResponse> call) {
    this.call = call;
  }

  /** Starts the stream; {@link #opened} tells when there is a session. */
  static SessionStream start(Channel channel, OpenRangeRequest request) {
    Context caller = Context.ROOT.attach();
    try {
      SessionStream stream =
          new SessionStream(
              channel.newCall(PageRangeServiceGrpc.getOpenRangeMethod(), CallOptions.DEFAULT));
      stream.call.start(stream, new Metadata());
      stream.call.sendMessage(request);
      stream.call.halfClose();
      stream.call.request(2); // `opened`, and whatever comes next
      return stream;
    } finally {
      Context.ROOT.detach(caller);
    }
  }

  /** Completes with the first message, or fails with {@link PagetideException}. */
  CompletableFuture<Opened> opened() {
    return opened;
  }

  /** Completes if the server says that it is about to stop; else never. */
  CompletableFuture<DrainNotice> draining() {
    return draining;
  }

  /** Completes when an opened session has ended, and never fails. */
  CompletableFuture<SessionEnd> ended() {
    return ended;
  }

  /** Ends the session. Later calls do nothing. */
  void close() {
    closed = true;
    call.cancel("closed by the client", null);
  }

  /** Why calls on this session are of no use any more; null while it lives. */
  @Nullable PagetideException failure() {
    PagetideException ending = failure;
    if (ending == null && closed) {
      return StreamEnd.closedByUs().failure();
    }
    return ending;
  }

  @Override
  public void onMessage(OpenRangeResponse message) {
    switch (message.getEventCase()) {
      case OPENED -> Blocking.deliver(() -> opened.complete(message.getOpened()));
      case DRAINING -> {
        long wait = Integer.toUnsignedLong(message.getDraining().getDrainWaitMs());
        Blocking.deliver(() -> draining.complete(new DrainNotice(Duration.ofMillis(wait))));
      }
      case EVENT_NOT_SET -> {
        // A notice of a newer server; one that does not know it loses nothing.
      }
    }
    call.request(1);
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    StreamEnd end =
        closed
            ? StreamEnd.closedByUs()
            : StreamEnd.of("OpenRange", status, trailers, draining.isDone());
    failure = end.failure();
    PagetideException beforeOpened =
        closed ? end.failure() : StatusMapping.exception("OpenRange", status, trailers);
    Blocking.deliver(() -> {
      opened.completeExceptionally(beforeOpened);
      ended.complete(end.end());
    });
  }
}
