package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.ByteString;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * A buffer that was delivered into this endpoint's range and is to be freed once. Thread-safe, but
 * for what is said of threads at the methods.
 *
 * <p>LOCKS: nothing waits under its monitor, because the event loop takes it to free the buffer.
 */
final class DeliveredBuffer implements AutoCloseable {

  /** What frees buffers by their offsets. */
  interface Freer {
    /** Frees the buffer at {@code offset}, some time soon; never fails and never waits. */
    void free(long offset, long size);
  }

  private final RangeBytes bytes;
  private final Freer freer;
  private final long offset;
  private final long size;

  /** Completes when the buffer is freed; null where the bytes need not be read from the server. */
  private final @Nullable CompletableFuture<Void> freeing;

  @GuardedBy("this")
  private ByteString delivered;

  @GuardedBy("this")
  private RangeBytes.@Nullable View view;

  @GuardedBy("this")
  private boolean freed;

  DeliveredBuffer(RangeBytes bytes, Freer freer, long offset, long size, ByteString delivered) {
    this.bytes = bytes;
    this.freer = freer;
    this.offset = offset;
    this.size = size;
    this.delivered = delivered;
    this.freeing = bytes.mustBeRead(size, delivered) ? new CompletableFuture<>() : null;
  }

  long size() {
    return size;
  }

  /**
   * The bytes, which belong to the thread that first gets them.
   *
   * @throws IllegalStateException if they were freed; or if they must be read from the server and
   *     this thread delivers answers
   */
  MemorySegment data() {
    CompletableFuture<Void> end = freeing;
    if (end != null) {
      Blocking.checkMayWait(); // first of all, so that it does not depend on what others have done
      return dataRead(end);
    }
    synchronized (this) {
      MemorySegment given = given();
      return given == null ? give(bytes.received(offset, size, delivered)) : given;
    }
  }

  /** Reads the bytes from the server, until {@code end} at the most, and gives them out. */
  private MemorySegment dataRead(CompletableFuture<Void> end) {
    synchronized (this) {
      MemorySegment given = given();
      if (given != null) {
        return given;
      }
    }
    ByteBuffer content = RangeBytes.roomFor(size);
    CompletableFuture<Void> read = bytes.read(offset, content);
    var _ = end.thenRun(() -> read.cancel(true));
    try {
      Blocking.get(read);
    } catch (PagetideException e) {
      synchronized (this) {
        if (freed) {
          throw wasFreed(e);
        }
      }
      throw e;
    }
    return giveFirst(RangeBytes.copied(content)); // copied outside the monitor: it may be long
  }

  /** Gives {@code made} out, or what another thread's read has given out before. */
  private MemorySegment giveFirst(RangeBytes.View made) {
    boolean first = false;
    try {
      synchronized (this) {
        MemorySegment given = given();
        first = given == null;
        return given == null ? give(made) : given;
      }
    } finally {
      if (!first) {
        made.close();
      }
    }
  }

  @GuardedBy("this")
  private @Nullable MemorySegment given() {
    if (freed) {
      throw wasFreed(null);
    }
    RangeBytes.View ours = view;
    return ours == null ? null : ours.segment();
  }

  @GuardedBy("this")
  private MemorySegment give(RangeBytes.View made) {
    view = made;
    return made.segment();
  }

  private IllegalStateException wasFreed(@Nullable Exception cause) {
    return new IllegalStateException(
        "the buffer at " + offset + " was freed: its bytes are gone", cause);
  }

  /** Ends the bytes that were given out, and lets the next thread ask for its own. */
  synchronized void disown() {
    RangeBytes.View ours = view;
    if (ours != null) {
      ours.close();
      view = null;
    }
  }

  /**
   * Ends the bytes and frees the buffer, once; if they cannot be ended here, neither is done. A
   * thread that waits in {@link #data} waits no longer.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (freed) {
        return;
      }
      disown();
      freed = true;
      delivered = ByteString.EMPTY;
    }
    freer.free(offset, size);
    CompletableFuture<Void> end = freeing;
    if (end != null) {
      end.complete(null);
    }
  }
}
