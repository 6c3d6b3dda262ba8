package dev.pagetide.client;

import static java.util.Objects.requireNonNull;

import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.Opened;
import io.grpc.Channel;
import io.grpc.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Opens the sessions of one client. For each it opens the stream, gets the ticket, fetches the file
 * if possible, and lets the owner make its object of them. Thread-safe.
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
   * Opens a session and makes an object of it.
   *
   * @param make makes the object when the session is granted; its failure ends the session
   * @return fails with {@link PagetideException}; completing or cancelling it from outside ends the
   *     session
   */
  <T> CompletableFuture<T> open(
      OpenOptions open, RangeMode mode, Function<OpenedSession, CompletableFuture<T>> make) {
    OpenRangeRequest request =
        OpenRangeRequest.newBuilder()
            .setName(open.name())
            .setSizeBytes(open.sizeBytes())
            .setMode(WireEnums.wire(mode))
            .setWait(RangeCalls.waitMode(options))
            .build();
    Opening<T> opening =
        new Opening<>(SessionStream.start(channel, request), options.callTimeout());
    SessionStream stream = opening.stream;
    sessions.add(stream);
    var _ = stream.ended().thenRun(() -> sessions.remove(stream));
    if (closed) {
      stream.close();
    }
    boolean keepFile =
        options.confinedSegments() || (mode == RangeMode.BUFFERS && !RangeBytes.mayReinterpret());
    opening.start();
    var _ =
        stream
            .opened()
            .thenCompose(opened -> prepare(open, opened, opening, keepFile))
            .thenCompose(session -> opening.make(session, make))
            .whenComplete(opening::settle);
    return opening.result;
  }

  private CompletableFuture<OpenedSession> prepare(
      OpenOptions open, Opened opened, Opening<?> opening, boolean keepFile) {
    SessionTicket ticket =
        new SessionTicket(
            opened.getSession(),
            opened.getRangeId(),
            WireNumbers.positive("page_size", opened.getPageSize()),
            WireNumbers.positive("page_count", opened.getPageCount()),
            WireNumbers.positive("max_data_bytes", opened.getMaxDataBytes()),
            opened.getServerInstance());
    checkGranted(open, ticket);
    SessionStream stream = opening.stream;
    opening.step = "the hand-off of the file";
    return files
        .fetch(opened, stream, keepFile, opening.deadline)
        .handle((pages, why) -> {
          if (pages != null) {
            return new OpenedSession(ticket, stream, pages, "");
          }
          Throwable cause = Blocking.cause(requireNonNull(why));
          if (options.access() == AccessMode.SHARED) {
            throw new CompletionException(cause);
          }
          return new OpenedSession(ticket, stream, null, String.valueOf(cause.getMessage()));
        });
  }

  /** Fails if the server granted less and the caller did not say that it takes less. */
  private static void checkGranted(OpenOptions open, SessionTicket ticket) {
    long granted = (long) ticket.pageSize() * ticket.pageCount();
    if (open.takesLess() || granted >= open.sizeBytes()) {
      return;
    }
    boolean onlyRounded = open.sizeBytes() - granted < ticket.pageSize();
    throw PagetideException.local(
        StatusCode.RESOURCE_EXHAUSTED,
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

  /** Ends every session, and every session that is opened from then on. */
  void endSessions() {
    closed = true;
    sessions.forEach(SessionStream::close);
  }

  /** Unmaps what is still mapped. Call this after {@link #endSessions}. */
  @Override
  public void close() {
    files.close();
  }

  /** One opening of a session, with one time limit for all of it. */
  private static final class Opening<T> {
    private final SessionStream stream;
    private final Duration timeout;
    private final Deadline deadline;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    private volatile String step = "OpenRange";
    private volatile @Nullable SharedPages pages;

    Opening(SessionStream stream, Duration timeout) {
      this.stream = stream;
      this.timeout = timeout;
      this.deadline = Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Limits the time, and ensures that a session ends if its caller does not get it. */
    void start() {
      CompletableFuture<Void> timer = new CompletableFuture<>();
      var _ =
          timer
              .orTimeout(timeout.toNanos(), TimeUnit.NANOSECONDS)
              .whenComplete((_, late) -> {
                if (late instanceof TimeoutException) {
                  Blocking.deliver(() -> result.completeExceptionally(noAnswer()));
                }
              });
      var _ =
          result.whenComplete((_, failure) -> {
            timer.complete(null);
            if (failure != null) {
              giveUp();
            }
          });
    }

    private PagetideException noAnswer() {
      return PagetideException.local(
          StatusCode.DEADLINE_EXCEEDED, step + ": no answer within " + timeout);
    }

    CompletableFuture<T> make(
        OpenedSession session, Function<OpenedSession, CompletableFuture<T>> make) {
      pages = session.pages();
      step = "Attach";
      return make.apply(session);
    }

    void settle(@Nullable T made, @Nullable Throwable failure) {
      Blocking.deliver(() -> {
        boolean taken =
            made == null
                ? result.completeExceptionally(Blocking.cause(requireNonNull(failure)))
                : result.complete(made);
        if (!taken) {
          giveUp(); // the caller has cancelled meanwhile; the object ends with its session
        }
      });
    }

    /** Ends the session and unmaps the file, because the end of a session alone keeps it mapped. */
    private void giveUp() {
      stream.close();
      SharedPages mapped = pages;
      if (mapped != null) {
        mapped.close();
      }
    }
  }
}
