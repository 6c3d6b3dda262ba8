package dev.pagetide.server.transaction;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.session.Session;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What one session has in the exchange of transactions, from its first Attach to its end: the
 * buffers of its range, and its party while there is one. Thread-safe.
 */
final class Seat {
  private final Parties parties;
  private final Session session;
  private final @Nullable BufferAllocator buffers;
  private final AtomicReference<@Nullable Party> party = new AtomicReference<>();

  @GuardedBy("this")
  private boolean watched;

  private volatile boolean over;

  Seat(Parties parties, Session session) {
    this.parties = parties;
    this.session = session;
    this.buffers =
        session.range().mode() == RangeMode.BUFFERS
            ? new BufferAllocator(session.range(), parties.terms().maxBuffers())
            : null;
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
   * @return false if the seat is over: the session's end has begun, or an earlier call failed
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

  /** Who has the seat. */
  @Nullable Party party() {
    return party.get();
  }

  /** Takes the seat, unless somebody has it. */
  boolean take(Party newcomer) {
    return party.compareAndSet(null, newcomer);
  }

  /** Leaves the seat. */
  void leave(Party leaving) {
    party.compareAndSet(leaving, null);
  }

  /** Gives back a buffer that nobody was told of, clearing it first if that was asked for. */
  void discard(Buffer buffer) {
    if (buffer.clearOnFree() && buffer.size() > Filling.INLINE_COPY_BYTES) {
      later(() -> buffers().abandon(buffer));
    } else {
      buffers().abandon(buffer);
    }
  }

  /** Frees a buffer at its owner's word; clears it first if that was asked for. */
  void free(long offset) {
    Buffer toClear = buffers().beginFree(offset);
    if (toClear == null) {
      return;
    }
    if (toClear.size() <= Filling.INLINE_COPY_BYTES) {
      buffers().finishFree(toClear);
    } else {
      later(() -> buffers().finishFree(toClear));
    }
  }

  /** Frees a buffer whose owner was never told of it. */
  void freeUntold(Buffer buffer) {
    try {
      free(buffer.offset());
    } catch (BufferFailure e) {
      // RACE: a later Exchange of the session has been told of it, and was quicker.
    }
  }

  private void later(Runnable work) {
    try {
      parties.workers().execute(work);
    } catch (RejectedExecutionException e) {
      work.run(); // the server is stopping: nobody is kept waiting any more
    }
  }

  /** The session ends: so does its party, and the buffers are nobody's. */
  void end(Throwable why) {
    synchronized (this) {
      over = true;
    }
    try {
      Party last = party.get();
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
