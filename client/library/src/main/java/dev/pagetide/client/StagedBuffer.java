package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.ByteString;
import dev.pagetide.v1.Slice;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Bytes in the sender's own range. A program writes them in place, and may send them any number of
 * times. The server copies them once each time, straight into the receiver's range.
 *
 * <p>If the range's file is not mapped, the bytes are in this process only and travel in the
 * message. Then at most {@link Sender#maxDataBytes} can be staged.
 *
 * <p>Any number of threads may call any method at once, including the event loop, because no method
 * waits.
 */
public final class StagedBuffer implements AutoCloseable {

  private final Endpoint endpoint;
  private final long offset;
  private final long sizeBytes;
  private final boolean inRange;

  @GuardedBy("this")
  private RangeBytes.@Nullable View view;

  /** Commands that send it and are not answered yet. */
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

  /** How many bytes the buffer has. */
  public long sizeBytes() {
    return sizeBytes;
  }

  /**
   * The bytes, for writing. At first they hold whatever the range's earlier buffers held, or zeros.
   * Do not touch the segment once this is closed, because from then on its place may hold other
   * buffers. With {@link ClientOptions#confinedSegments} such an access fails.
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

  /** Whether it lies in the range of {@code other}. */
  boolean belongsTo(Endpoint other) {
    return endpoint == other;
  }

  /**
   * A command begins to send bytes of it; {@link #release} ends that.
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

  /** A command that sent it was answered. */
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
   * Frees the buffer, as soon as every command that sends it is answered. Never waits; calling it
   * again does nothing.
   *
   * @throws IllegalStateException with {@link ClientOptions#confinedSegments}, if a call that
   *     cannot be stopped is reading or writing the bytes at this moment; then the buffer stays
   *     open
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
