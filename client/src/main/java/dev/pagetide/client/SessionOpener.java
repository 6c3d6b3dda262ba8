package dev.pagetide.client;

import static java.util.Objects.requireNonNull;

import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.RangeMode;
import io.grpc.Channel;
import io.grpc.Status;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The way from a request to a session that can be worked with: its stream, its ticket, its file if
 * it can be had, and whatever its owner makes of them. One client's sessions; thread-safe.
 */
final class SessionOpener implements AutoCloseable {

  private final Channel channel;
  private final ClientOptions options;
  private final SharedFiles files;
  private final Set<SessionStream> sessions = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  SessionOpener(Channel channel, @Nullable Path socket, ClientOptions options) {
    this.channel = channel;
    this.options = options;
    this.files = new SharedFiles(socket, options);
  }

  /**
   * Opens a session and makes something of it.
   *
   * @param make what is made, once the session is granted; its failure ends the session
   * @return fails with {@link PagetideException}; completing or cancelling it from outside gives
   *     the session up
   */
  <T> CompletableFuture<T> open(
      OpenOptions open, RangeMode mode, Function<OpenedSession, CompletableFuture<T>> make) {
    OpenRangeRequest request =
        OpenRangeRequest.newBuilder()
            .setName(open.name())
            .setSizeBytes(open.sizeBytes())
            .setMode(mode)
            .setWait(RangeCalls.waitMode(options))
            .build();
    SessionStream stream = SessionStream.start(channel, request);
    sessions.add(stream);
    var _ = stream.ended().thenRun(() -> sessions.remove(stream));
    if (closed) {
      stream.close();
    }
    CompletableFuture<T> result = new CompletableFuture<>();
    boolean keepFile =
        options.confinedSegments()
            || (mode == RangeMode.RANGE_MODE_BUFFERS && !RangeBytes.mayReinterpret());
    var _ =
        stream
            .opened()
            .orTimeout(options.callTimeout().toNanos(), TimeUnit.NANOSECONDS)
            .thenCompose(opened -> prepare(open, opened, stream, keepFile))
            .thenCompose(make)
            .whenComplete((made, failure) -> settle(result, stream, made, failure));
    var _ =
        result.whenComplete((made, failure) -> {
          if (failure != null) {
            stream.close();
          }
        });
    return result;
  }

  private CompletableFuture<OpenedSession> prepare(
      OpenOptions open, Opened opened, SessionStream stream, boolean keepFile) {
    SessionTicket ticket =
        new SessionTicket(
            opened.getSession(),
            opened.getRangeId(),
            WireNumbers.positive("page_size", opened.getPageSize()),
            WireNumbers.positive("page_count", opened.getPageCount()),
            WireNumbers.positive("max_data_bytes", opened.getMaxDataBytes()),
            opened.getServerInstance());
    checkGranted(open, ticket);
    return files
        .fetch(opened, stream, keepFile)
        .handle((pages, why) -> {
          if (pages != null) {
            return new OpenedSession(ticket, stream, pages, "");
          }
          Throwable cause = Blocking.cause(requireNonNull(why));
          if (options.access() == AccessChoice.SHARED) {
            throw new CompletionException(cause);
          }
          return new OpenedSession(ticket, stream, null, String.valueOf(cause.getMessage()));
        });
  }

  /** The server cuts sizes; a caller that did not say that less will do is told of it instead. */
  private static void checkGranted(OpenOptions open, SessionTicket ticket) {
    long granted = (long) ticket.pageSize() * ticket.pageCount();
    if (open.takesLess() || granted >= open.sizeBytes()) {
      return;
    }
    boolean onlyRounded = open.sizeBytes() - granted < ticket.pageSize();
    throw PagetideException.local(
        Status.Code.RESOURCE_EXHAUSTED,
        "asked for a range of size_bytes="
            + open.sizeBytes()
            + ", and the server grants "
            + granted
            + " ("
            + ticket.pageCount()
            + " pages of "
            + ticket.pageSize()
            + " bytes); "
            + (onlyRounded
                ? "ask for whole pages, and no more than the server's --max-range-bytes"
                : "raise the server's --max-range-bytes")
            + ", or take what there is (OpenOptions.atMost, withSizeAtMost)");
  }

  private <T> void settle(
      CompletableFuture<T> result,
      SessionStream stream,
      @Nullable T made,
      @Nullable Throwable failure) {
    Blocking.deliver(() -> {
      if (made == null) {
        Throwable cause = Blocking.cause(requireNonNull(failure));
        result.completeExceptionally(
            cause instanceof TimeoutException
                ? PagetideException.local(
                    Status.Code.DEADLINE_EXCEEDED,
                    "OpenRange: no answer within " + options.callTimeout())
                : cause);
      } else if (!result.complete(made)) {
        stream.close(); // the caller has given up meanwhile; what was made ends with its session
      }
    });
  }

  /** Ends every session, and from then on each that is opened. */
  void endSessions() {
    closed = true;
    sessions.forEach(SessionStream::close);
  }

  /** Unmaps what is mapped yet. After {@link #endSessions}. */
  @Override
  public void close() {
    files.close();
  }
}
