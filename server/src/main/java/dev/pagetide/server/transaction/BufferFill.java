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
 * Allocates one buffer and fills it: space, then pages, then bytes.
 *
 * <p>It ends with exactly one call of {@link Done}: on the calling thread if no step takes long
 * (the pages are resident, and the bytes are few), otherwise on a worker. If a step before {@link
 * Done#filled} fails, the fill gives back everything that the buffer holds.
 */
final class BufferFill {

  private final EndpointRegistry endpoints;
  private final SessionEndpoint into;
  private final BufferRequest request;

  /**
   * Set to null once it is copied, or is not needed, because it may hold a message's bytes and this
   * object lives longer.
   */
  private volatile @Nullable Source source;

  private final Done done;

  // ORDER: start writes `waiting` and then reads `givenUp`; giveUp writes `givenUp` and then reads
  // `waiting`. So at least one of them sees what the other wrote.
  private volatile @Nullable PendingUse waiting;
  private volatile boolean givenUp;

  /**
   * Where the bytes come from: a payload of this range. If it lies in a buffer, that buffer is
   * pinned meanwhile.
   */
  record Source(Payload payload, ShrinkablePageRange range) {}

  /** The command that is notified how its fill ended. */
  interface Done {
    /** The buffer holds the bytes, and is still being built. */
    void filled(Buffer buffer);

    /** There was no room for the buffer. */
    void noRoom(Throwable why);

    /** The payload could not be read. */
    void noPayload(Throwable why);

    /** {@link #filled} threw. */
    void broken(Throwable why);
  }

  /**
   * A fill that has not begun.
   *
   * @param into the session in whose range the buffer is allocated
   * @param source null: no bytes are copied into the buffer
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

  /** Begins. May run on an event loop's thread. Called once. */
  void start(long waitNanos) {
    Buffer buffer;
    try {
      buffer = into.buffers().reserve(request);
    } catch (RuntimeException | Error e) {
      refuseAllocation(e);
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
    PendingUse use;
    try {
      use = new PendingUse(into.range(), buffer.pages(), waitNanos, endpoints.workers());
      waiting = use;
      if (givenUp) {
        use.giveUp();
      }
      var _ = use.result().whenComplete((_, failure) -> used(buffer, failure));
    } catch (RuntimeException | Error e) {
      discardUnused(buffer, e); // the use has not begun, and never will
      return;
    }
    onWorker(buffer, use);
  }

  /** The use of the buffer's pages has ended. Nobody sees what is thrown here. */
  private void used(Buffer buffer, @Nullable Throwable failure) {
    Throwable why = failure;
    if (why == null) {
      try {
        into.buffers().gainedPages(buffer);
      } catch (RuntimeException | Error e) {
        why = e;
      }
    }
    if (why == null) {
      copy(buffer); // this is a worker's thread, because it has just allocated
    } else {
      discardUnused(buffer, why);
    }
  }

  /** Stops waiting for the buffer's pages, because the buffer is not needed any more. */
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
      discard(buffer, new TransactionFailure.Stopping());
    } catch (OutOfMemoryError e) { // no thread can be started
      discard(buffer, e);
    }
  }

  private void discard(Buffer buffer, Throwable why) {
    try {
      into.discard(buffer);
    } finally {
      refuse(why);
    }
  }

  private void discardUnused(Buffer buffer, Throwable why) {
    try {
      into.discard(buffer);
    } finally {
      refuseAllocation(why);
    }
  }

  private void refuseAllocation(Throwable why) {
    try {
      endpoints.observer().allocationFailed(why);
    } finally {
      refuse(why);
    }
  }

  private void refuse(Throwable why) {
    source = null;
    done.noRoom(why);
  }

  private void copy(Buffer buffer) {
    try {
      copyPayload(buffer.offset());
    } catch (RuntimeException | Error e) {
      try {
        into.discard(buffer);
      } finally {
        done.noPayload(e);
      }
      return;
    }
    try {
      done.filled(buffer);
    } catch (RuntimeException | Error e) {
      // a bug; on a worker no caller would see it, and the command would get no answer
      done.broken(e);
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
          // The length that is copied is the one that was checked, and is the buffer's size.
          RangeCopy.copy(from.range(), slice.offset(), into.range(), offset, request.size());
    }
    endpoints.observer().copied(request.size());
  }
}
