package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferRequest;
import dev.pagetide.server.buffer.Clearing;
import dev.pagetide.server.page.PendingUse;
import dev.pagetide.server.page.RangeCopy;
import dev.pagetide.server.page.ShrinkablePageRange;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * One buffer on its way from nothing to filled: its space, its pages, its bytes.
 *
 * <p>Ends with one call of {@link Done}, on the calling thread where nothing takes long (pages that
 * are resident, few bytes), else on a worker. Whatever fails, nothing of the buffer is left.
 */
final class BufferFill {

  private final EndpointRegistry endpoints;
  private final SessionEndpoint into;
  private final BufferRequest request;

  /** Forgotten once it is copied: it may hold a message's bytes, and this is held longer. */
  private volatile @Nullable Source source;

  private final Done done;

  // ORDER: start writes `waiting` and reads `givenUp`, giveUp writes `givenUp` and reads `waiting`;
  // so one of them sees the other.
  private volatile @Nullable PendingUse waiting;
  private volatile boolean givenUp;

  /** Where the bytes come from: the endpoint's own range, whose buffer is pinned meanwhile. */
  record Source(Payload payload, ShrinkablePageRange range) {}

  /** The command that is told how its fill ended. */
  interface Done {
    /** The buffer holds the bytes, and is still being built. */
    void filled(Buffer buffer);

    /** There was no room for the buffer. */
    void noRoom(Throwable why);

    /** The payload could not be had. */
    void noPayload(Throwable why);

    /** {@link #filled} threw. */
    void broken(Throwable why);
  }

  /**
   * A fill that has not begun.
   *
   * @param into where the buffer is to be
   * @param source null: the buffer is left as it is
   */
  BufferFill(
      EndpointRegistry endpoints,
      SessionEndpoint into,
      BufferRequest request,
      @Nullable Source source,
      Done done) {
    this.endpoints = endpoints;
    this.into = into;
    this.request = request;
    this.source = source;
    this.done = done;
  }

  /** Begins, on a thread that may be an event loop's. To be called once. */
  void start(long waitNanos) {
    Buffer buffer;
    try {
      buffer = into.buffers().reserve(request);
    } catch (RuntimeException | Error e) {
      endpoints.observer().allocationFailed(e);
      done.noRoom(e);
      return;
    }
    if (buffer.hasPages()) {
      if (source == null || request.size() <= Clearing.INLINE_BYTES) {
        copy(buffer);
      } else {
        onWorker(buffer, () -> copy(buffer));
      }
      return;
    }
    PendingUse use = new PendingUse(into.range(), buffer.pages(), waitNanos, endpoints.workers());
    waiting = use;
    if (givenUp) {
      use.giveUp();
    }
    var _ =
        use.result()
            .whenComplete((fresh, failure) -> {
              if (failure != null) {
                into.discard(buffer);
                endpoints.observer().allocationFailed(failure);
                done.noRoom(failure);
              } else {
                into.buffers().gainedPages(buffer);
                copy(buffer); // a worker's thread: it has just allocated
              }
            });
    onWorker(buffer, use);
  }

  /** Nobody wants the buffer any more: waits no longer for its pages. */
  void giveUp() {
    givenUp = true;
    PendingUse use = waiting;
    if (use != null) {
      use.giveUp();
    }
  }

  private void onWorker(Buffer buffer, Runnable work) {
    try {
      endpoints.workers().execute(work);
    } catch (RejectedExecutionException e) {
      into.discard(buffer);
      done.noRoom(new TransactionFailure.Stopping());
    } catch (OutOfMemoryError e) { // no thread can be started
      into.discard(buffer);
      done.noRoom(e);
    }
  }

  private void copy(Buffer buffer) {
    try {
      copyPayload(buffer.offset());
    } catch (RuntimeException | Error e) {
      into.discard(buffer);
      done.noPayload(e);
      return;
    }
    try {
      done.filled(buffer);
    } catch (RuntimeException | Error e) {
      done.broken(e); // a bug: on a worker nobody else hears of it, and an answer would never come
    }
  }

  private void copyPayload(long offset) {
    Source from = source;
    source = null;
    if (from == null || request.size() == 0) {
      return;
    }
    switch (from.payload()) {
      case Payload.Bytes data -> into.range().write(offset, data.bytes());
      case Payload.Slice slice ->
          // The length that was checked, and that the buffer has, is the length that is copied.
          RangeCopy.copy(from.range(), slice.offset(), into.range(), offset, request.size());
    }
    endpoints.observer().copied(request.size());
  }
}
