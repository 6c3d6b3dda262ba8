package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.v1.Opened;
import io.grpc.Deadline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The mapped files of one client's ranges. It fetches them, and writes the client's counts into
 * them every second for the server. Thread-safe.
 *
 * <p>One thread does both. It starts when the first file is fetched.
 */
final class SharedFiles implements AutoCloseable {

  private static final long LONGEST_FETCH_SECONDS = 10;
  private static final long PUBLISH_SECONDS = 1;
  private static final long CLOSE_WAIT_SECONDS = 2;

  private final @Nullable Path grpcSocket;
  private final ClientOptions options;
  private final Set<SharedPages> mapped = ConcurrentHashMap.newKeySet();

  @GuardedBy("this")
  private @Nullable EventLoopGroup group;

  @GuardedBy("this")
  private boolean closed;

  /**
   * Without a file yet.
   *
   * @param grpcSocket the Unix socket of the server, in a directory that was checked; null for a
   *     connection over TCP
   */
  SharedFiles(@Nullable Path grpcSocket, ClientOptions options) {
    this.grpcSocket = grpcSocket;
    this.options = options;
  }

  /**
   * Fetches and maps the file of a session that was just opened.
   *
   * @param keepFile whether to keep the file open, so that pieces of it can be mapped again
   * @param deadline of the whole opening; if the range may also be remote, half of the time that is
   *     left is kept for the rest
   * @return fails with {@link PagetideException}, whose message says why there is no file
   */
  CompletableFuture<SharedPages> fetch(
      Opened opened, SessionStream session, boolean keepFile, Deadline deadline) {
    if (options.access() == AccessMode.REMOTE) {
      return none("the client was told to map no file");
    }
    if (grpcSocket == null || !opened.hasFile()) {
      return none("the server hands files over on its Unix socket only");
    }
    if (!Epoll.isAvailable()) {
      return none("Netty's epoll transport is not available here: " + Epoll.unavailabilityCause());
    }
    EventLoopGroup loops = group();
    if (loops == null) {
      return none("the client is closed");
    }
    // Take only its name. The directory is the one that we have checked, even if the server sees it
    // under another path.
    Path name = Path.of(opened.getFile().getHandoffSocket()).getFileName();
    if (name == null) {
      return none("the server named no socket to fetch the file from");
    }
    Path socket = grpcSocket.resolveSibling(name);
    CompletableFuture<FileDescriptor> fetched = new CompletableFuture<>();
    fetchInto(fetched, () -> Handoff.fetch(loops, socket, opened.getSession()), loops, session);
    var _ = session.ended().thenRun(() -> fetched.completeExceptionally(sessionEnded(session)));
    long left = deadline.timeRemaining(TimeUnit.NANOSECONDS);
    long share = options.access() == AccessMode.SHARED ? left : left / 2;
    return fetched
        .orTimeout(
            Math.min(share, TimeUnit.SECONDS.toNanos(LONGEST_FETCH_SECONDS)), TimeUnit.NANOSECONDS)
        .thenApply(file -> new SharedPages(MappedFile.map(file, opened, keepFile)))
        .thenApply(pages -> adopt(pages, session))
        .exceptionally(SharedFiles::fail);
  }

  /**
   * Tries until an attempt succeeds or a retry cannot help, until the session ends, or until other
   * code has completed {@code result}.
   */
  private static void fetchInto(
      CompletableFuture<FileDescriptor> result,
      Supplier<CompletableFuture<FileDescriptor>> attempts,
      EventLoopGroup loops,
      SessionStream session) {
    CompletableFuture<FileDescriptor> attempt = attempts.get();
    var _ =
        attempt.whenComplete((file, failure) -> {
          if (file != null) {
            if (!result.complete(file)) {
              Handoff.closeQuietly(file);
            }
            return;
          }
          Optional<Duration> delay =
              failure instanceof PagetideException known ? known.retryDelay() : Optional.empty();
          if (delay.isEmpty() || result.isDone() || session.ended().isDone()) {
            result.completeExceptionally(failure);
            return;
          }
          try {
            var _ =
                loops.schedule(
                    () -> fetchInto(result, attempts, loops, session),
                    delay.get().toMillis(),
                    TimeUnit.MILLISECONDS);
          } catch (RejectedExecutionException e) {
            result.completeExceptionally(failure); // the client is closing
          }
        });
    var _ = result.whenComplete((file, failure) -> attempt.cancel(false));
  }

  private static PagetideException sessionEnded(SessionStream session) {
    PagetideException why = session.failure();
    return why == null ? StreamEnd.closedByUs().failure() : why.rethrown();
  }

  private SharedPages adopt(SharedPages pages, SessionStream session) {
    mapped.add(pages);
    var _ =
        session
            .ended()
            .thenAccept(end -> {
              if (end.cause() == SessionEnd.Cause.CLOSED) {
                pages.close();
              }
            });
    if (isClosed()) {
      pages.close(); // close() may have run before
    }
    return pages;
  }

  private static SharedPages fail(Throwable failure) {
    Throwable cause = Blocking.cause(failure);
    if (cause instanceof PagetideException known) {
      throw known;
    }
    throw PagetideException.local(
        StatusCode.UNAVAILABLE,
        cause instanceof TimeoutException
            ? "the hand-off of the file did not end in time"
            : "the file cannot be had: " + cause);
  }

  private static CompletableFuture<SharedPages> none(String why) {
    return CompletableFuture.failedFuture(
        PagetideException.local(StatusCode.FAILED_PRECONDITION, why));
  }

  private synchronized @Nullable EventLoopGroup group() {
    EventLoopGroup loops = group;
    if (loops == null && !closed) {
      loops =
          new MultiThreadIoEventLoopGroup(
              1, new DefaultThreadFactory("pagetide-files", true), EpollIoHandler.newFactory());
      var _ =
          loops.scheduleAtFixedRate(
              this::publishCounts, PUBLISH_SECONDS, PUBLISH_SECONDS, TimeUnit.SECONDS);
      group = loops;
    }
    return loops;
  }

  private void publishCounts() {
    mapped.removeIf(pages -> !pages.isMapped());
    mapped.forEach(SharedPages::publishCounts);
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  /**
   * Fetches no more files, and unmaps those that are still mapped: the files of ranges that the
   * server has ended and that their owner has not closed. Waits a moment for the thread to end. It
   * does not wait on a thread that delivers answers, because that may be the same thread.
   */
  @Override
  public void close() {
    EventLoopGroup loops;
    synchronized (this) {
      closed = true;
      loops = group;
    }
    if (loops != null) {
      Future<?> ended = loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
      if (!Blocking.isDelivering()) {
        awaitQuietly(ended);
      }
    }
    mapped.forEach(SharedPages::close);
    mapped.clear();
  }

  private static void awaitQuietly(Future<?> ended) {
    try {
      var _ = ended.await(CLOSE_WAIT_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the other thread ends by itself
    }
  }
}
