package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.ByteString;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A buffer that was delivered into this party's range and is to be freed once. Thread-safe, but for
 * what is said of threads at the methods.
 */
final class HeldBuffer implements AutoCloseable {

  /** What frees buffers by their offsets. */
  interface Freer {
    /** Frees the buffer at {@code offset}, some time soon; never fails and never waits. */
    void free(long offset, long size);
  }

  private final RangeBytes bytes;
  private final Freer freer;
  private final long offset;
  private final long size;

  @GuardedBy("this")
  private ByteString delivered;

  @GuardedBy("this")
  private RangeBytes.@Nullable View view;

  @GuardedBy("this")
  private boolean freed;

  HeldBuffer(RangeBytes bytes, Freer freer, long offset, long size, ByteString delivered) {
    this.bytes = bytes;
    this.freer = freer;
    this.offset = offset;
    this.size = size;
    this.delivered = delivered;
  }

  long size() {
    return size;
  }

  /** The bytes, which belong to the thread that first asks for them. */
  synchronized MemorySegment data() {
    if (freed) {
      throw new IllegalStateException("the buffer at " + offset + " was freed: its bytes are gone");
    }
    RangeBytes.View ours = view;
    if (ours == null) {
      ours = bytes.received(offset, size, delivered);
      view = ours;
    }
    return ours.segment();
  }

  /** Ends the bytes that were given out, and lets the next thread ask for them anew. */
  synchronized void disown() {
    RangeBytes.View ours = view;
    if (ours != null) {
      ours.close();
      view = null;
    }
  }

  /** Ends the bytes and frees the buffer, once; if they cannot be ended here, neither is done. */
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
  }
}
