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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What one session has in the exchange of transactions, from its first Attach to its end: the
 * buffers of its range, and its endpoint while there is one. Thread-safe.
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

  /** Whether the range is one for buffers. */
  boolean hasBuffers() {
    return buffers != null;
  }

  /** The buffers of the range, which is one for buffers. */
  BufferAllocator buffers() {
    BufferAllocator allocator = buffers;
    if (allocator == null) {
      throw new IllegalStateException(session + " has no buffers");
    }
    return allocator;
  }

  /**
   * Sees to it that {@code ended} is run when the session ends; the first caller's is.
   *
   * <p>LOCKS: the session's monitor is taken under this one, and nothing else.
   *
   * @return false if the endpoint is over: the session's end has begun, or an earlier call failed
   */
  synchronized boolean watch(Runnable ended) {
    if (!watched && !over) {
      over = true; // should the next line fail
      watched = session.whenEnding(ended);
      over = !watched;
    }
    return !over;
  }

  /** Whether the session has ended. */
  boolean isOver() {
    return over;
  }

  /** Who has the endpoint. */
  @Nullable Endpoint endpoint() {
    return endpoint.get();
  }

  /** Takes the endpoint, unless somebody has it. */
  boolean take(Endpoint newcomer) {
    return endpoint.compareAndSet(null, newcomer);
  }

  /** Leaves the endpoint. */
  void leave(Endpoint leaving) {
    endpoint.compareAndSet(leaving, null);
  }

  /** Keeps a payload's buffer where it is until it is copied; null: it lies in none. */
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

  /** Gives back a buffer that nobody was told of, clearing it first if that was asked for. */
  void discard(Buffer buffer) {
    Buffer toClear = buffers().abandon(buffer);
    if (toClear != null) {
      clear(List.of(toClear), SessionEndpoint::nothing);
    }
  }

  /**
   * Frees buffers at their owner's word, all that can be freed; clears them first where that was
   * asked for.
   *
   * @param onRefused told why, of each that cannot be freed
   * @param onFreed run once, by any thread, if there is none of those, when all are free or were
   *     tried to be cleared
   */
  void free(List<Long> offsets, Consumer<RuntimeException> onRefused, Runnable onFreed) {
    List<Buffer> toClear = new ArrayList<>();
    boolean all = true;
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
        all = false;
        onRefused.accept(e);
      }
    }
    clear(toClear, all ? onFreed : SessionEndpoint::nothing);
  }

  /** Frees a buffer whose owner was never told of it. */
  void freeUntold(Buffer buffer) {
    try {
      Buffer toClear = buffers().beginFree(buffer.offset());
      if (toClear != null) {
        clear(List.of(toClear), SessionEndpoint::nothing);
      }
    } catch (BufferFailure e) {
      // RACE: a later Exchange of the session has been told of it, and was quicker.
    }
  }

  private static void nothing() {}

  private void clear(List<Buffer> freed, Runnable then) {
    Clearing own = clearing;
    if (own == null) {
      then.run(); // a range for no buffers: there are none
    } else {
      own.clear(freed, then);
    }
  }

  /** Runs something when the buffers freed before were tried, which may be now. */
  void afterClearing(Runnable then) {
    Clearing own = clearing;
    if (own == null) {
      then.run();
    } else {
      own.afterThose(then);
    }
  }

  /** The session ends: so does its endpoint, and the buffers are nobody's. */
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
