package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.ByteString;
import dev.pagetide.v1.Slice;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Bytes in the sender's own range, written in place and handed over any number of times: the server
 * copies them once, straight into the receiver's range.
 *
 * <p>Where the range's file is not mapped, the bytes are in this process only and travel in the
 * message; then at most {@link Sender#maxDataBytes} can be staged.
 *
 * <p>Any number of threads may call any method at once, the event loop included: none waits.
 */
public final class StagedBuffer implements AutoCloseable {

  private final Endpoint endpoint;
  private final long offset;
  private final long sizeBytes;
  private final boolean inRange;

  @GuardedBy("this")
  private RangeBytes.@Nullable View view;

  /** Commands that hand it over and are not answered yet. */
  @GuardedBy("this")
  private int users;

  @GuardedBy("this")
  private boolean closed;

  StagedBuffer(
      Endpoint endpoint, RangeBytes.View view, long offset, long sizeBytes, boolean inRange) {
    this.endpoint = endpoint;
    this.view = view;
    this.offset = offset;
    this.sizeBytes = sizeBytes;
    this.inRange = inRange;
  }

  /** How many bytes were staged. */
  public long sizeBytes() {
    return sizeBytes;
  }

  /**
   * The bytes, to be written. They start with whatever the range's earlier buffers held, or zeros.
   * Whoever keeps the segment promises not to touch it once this is closed: from then on its place
   * may hold other buffers. With {@link ClientOptions#confinedSegments} such an access fails.
   *
   * @throws IllegalStateException if this is closed
   */
  public synchronized MemorySegment segment() {
    return open().segment();
  }

  /** {@link #segment} as a buffer, in the machine's byte order; of at most 2 GiB. */
  public ByteBuffer buffer() {
    return segment().asByteBuffer().order(java.nio.ByteOrder.nativeOrder());
  }

  @GuardedBy("this")
  private RangeBytes.View open() {
    RangeBytes.View ours = view;
    if (closed || ours == null) {
      throw new IllegalStateException("this staged buffer is closed: stage another");
    }
    return ours;
  }

  /** Whether {@code other} is whose range it lies in. */
  boolean belongsTo(Endpoint other) {
    return endpoint == other;
  }

  /**
   * Begins to hand over bytes; {@link #release} ends it.
   *
   * @throws IllegalStateException if this is closed
   */
  synchronized dev.pagetide.v1.Payload acquire(long from, long length) {
    RangeBytes.View ours = open();
    dev.pagetide.v1.Payload.Builder payload = dev.pagetide.v1.Payload.newBuilder();
    if (inRange) {
      payload.setSlice(Slice.newBuilder().setOffset(offset + from).setLength(length));
    } else {
      payload.setData(ByteString.copyFrom(ours.segment().asSlice(from, length).asByteBuffer()));
    }
    users++;
    return payload.build();
  }

  /** A command that handed it over was answered. */
  void release() {
    synchronized (this) {
      users--;
      if (users > 0 || !closed) {
        return;
      }
    }
    free();
  }

  /**
   * Frees the buffer: at once, or, while commands that hand it over are not answered, as soon as
   * they are. Never fails and never waits; calling it again does nothing.
   *
   * @throws IllegalStateException with {@link ClientOptions#confinedSegments}, if the bytes are
   *     being read or written at this moment by a call that cannot be stopped; then it is open
   *     still
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      Objects.requireNonNull(view).close();
      view = null;
      closed = true;
      if (users > 0) {
        return;
      }
    }
    free();
  }

  private void free() {
    if (inRange) {
      endpoint.free(offset, sizeBytes);
    }
  }
}
