package dev.pagetide.server.transaction;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.buffer.BufferAllocator;
import dev.pagetide.server.buffer.BufferFailure;
import dev.pagetide.server.buffer.Clearing;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.session.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One session's part in transactions, from its first Attach to its end: the buffers of its range,
 * and its endpoint while it has one. Thread-safe.
 */
final class SessionEndpoint {
  private final Session session;
  private final @Nullable BufferAllocator buffers;
  private final @Nullable Clearing clearing;
  private final AtomicReference<@Nullable Endpoint> endpoint = new AtomicReference<>();

  @GuardedBy("this")
  private boolean watched;

  private volatile boolean over;

  SessionEndpoint(EndpointRegistry endpoints, Session session) {
    this.session = session;
    if (session.range().mode() == RangeMode.BUFFERS) {
      BufferAllocator own = new BufferAllocator(session.range(), endpoints.config().maxBuffers());
      this.buffers = own;
      this.clearing =
          new Clearing(
              own, endpoints.workers(), endpoints.timer(), endpoints.observer()::clearingRefused);
    } else {
      this.buffers = null;
      this.clearing = null;
    }
  }

  Session session() {
    return session;
  }

  ShrinkablePageRange range() {
    return session.range();
  }

  /** Whether the range is for buffers. */
  boolean hasBuffers() {
    return buffers != null;
  }

  /** The range's buffers; only for a range that is for buffers. */
  BufferAllocator buffers() {
    BufferAllocator allocator = buffers;
    if (allocator == null) {
      throw new IllegalStateException(session + " has no buffers");
    }
    return allocator;
  }

  /**
   * Registers {@code ended}, which runs when the session ends. Only the first call registers.
   *
   * <p>LOCKS: the session's monitor is taken under this one, and nothing else.
   *
   * @return false if the session's end has begun, or an earlier call failed
   */
  synchronized boolean watch(Runnable ended) {
    if (!watched && !over) {
      over = true; // stays so if the next line throws
      watched = session.whenEnding(ended);
      over = !watched;
    }
    return !over;
  }

  /** Whether the session has ended, or its end could not be watched. */
  boolean isOver() {
    return over;
  }

  /** The endpoint that the session has now; null if it has none. */
  @Nullable Endpoint endpoint() {
    return endpoint.get();
  }

  /** Sets the session's endpoint; false if it has one already. */
  boolean take(Endpoint newcomer) {
    return endpoint.compareAndSet(null, newcomer);
  }

  /** Removes the endpoint, if it is the session's. */
  void leave(Endpoint leaving) {
    endpoint.compareAndSet(leaving, null);
  }

  /**
   * Pins the buffer that holds a payload, so that it stays until the payload is copied; null if the
   * payload is in no buffer.
   */
  @Nullable Buffer pin(Payload payload) {
    if (payload instanceof Payload.Slice slice && slice.length() != 0 && hasBuffers()) {
      return buffers().pin(slice.offset(), slice.length());
    }
    return null;
  }

  /** Undoes a {@link #pin}. */
  void unpin(@Nullable Buffer pinned) {
    if (pinned != null) {
      buffers().unpin(pinned);
    }
  }

  /** Gives back a buffer that no client was told of; clears it first if that was asked for. */
  void discard(Buffer buffer) {
    Buffer toClear = buffers().abandon(buffer);
    if (toClear != null) {
      clear(List.of(toClear), SessionEndpoint::nothing);
    }
  }

  /**
   * Frees buffers because their owner asks for it. One that cannot be freed does not keep the
   * others. Clears them first if that was asked for.
   *
   * @param onRefused called once if some buffers could not be freed
   * @param onFreed called once, by any thread, if every buffer could be freed: after each was
   *     freed, or the server tried to clear it
   */
  void free(List<Long> offsets, NotFreed onRefused, Runnable onFreed) {
    List<Buffer> toClear = new ArrayList<>();
    int refused = 0;
    long firstRefused = 0;
    RuntimeException why = null;
    for (long offset : offsets) {
      try {
        if (!hasBuffers()) {
          throw new TransactionFailure.WrongMode("FreeBuffers");
        }
        Buffer begun = buffers().beginFree(offset);
        if (begun != null) {
          toClear.add(begun);
        }
      } catch (RuntimeException e) {
        refused++;
        if (why == null) {
          why = e;
          firstRefused = offset;
        }
      }
    }
    if (why != null) {
      onRefused.tell(refused, firstRefused, why);
    }
    clear(toClear, why == null ? onFreed : SessionEndpoint::nothing);
  }

  /** Is notified of buffers that could not be freed. */
  @FunctionalInterface
  interface NotFreed {
    /** So many were not freed, and the first of them for that reason. */
    void tell(int count, long firstOffset, RuntimeException why);
  }

  /** Frees a delivered buffer that its owner was never told of. */
  void freeUntold(Buffer buffer) {
    try {
      Buffer toClear = buffers().beginFree(buffer.offset());
      if (toClear != null) {
        clear(List.of(toClear), SessionEndpoint::nothing);
      }
    } catch (BufferFailure e) {
      // RACE: a later Exchange of the session got to know of it, and has freed it already.
    }
  }

  private static void nothing() {}

  private void clear(List<Buffer> freed, Runnable then) {
    Clearing own = clearing;
    if (own == null) {
      then.run(); // a range that is not for buffers has none to clear
    } else {
      own.clear(freed, then);
    }
  }

  /**
   * Runs something after the server has tried to clear each buffer freed before; perhaps at once.
   */
  void afterClearing(Runnable then) {
    Clearing own = clearing;
    if (own == null) {
      then.run();
    } else {
      own.afterThose(then);
    }
  }

  /** Ends the endpoint and all buffers, because the session ends. */
  void end(Throwable why) {
    synchronized (this) {
      over = true;
    }
    try {
      Endpoint last = endpoint.get();
      if (last != null) {
        last.end(why);
      }
    } finally {
      if (buffers != null) {
        buffers.close();
      }
    }
  }
}
