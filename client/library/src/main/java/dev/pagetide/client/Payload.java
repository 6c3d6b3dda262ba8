package dev.pagetide.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that a transaction or a reply sends. They travel in the message, or they lie in a
 * {@link StagedBuffer}, from which the server copies them.
 *
 * <p>A payload may be sent any number of times. Its bytes must not change until the futures of
 * those calls have completed.
 */
public final class Payload {

  /** No bytes. */
  public static final Payload NONE = new Payload(ByteString.EMPTY, null, 0, 0);

  private final ByteString bytes;
  private final @Nullable StagedBuffer staged;
  private final long offset;
  private final long length;

  private Payload(ByteString bytes, @Nullable StagedBuffer staged, long offset, long length) {
    this.bytes = bytes;
    this.staged = staged;
    this.offset = offset;
    this.length = length;
  }

  /** These bytes, at most {@link Sender#maxDataBytes}; this method does not copy them. */
  public static Payload of(byte[] bytes) {
    return of(ByteBuffer.wrap(bytes));
  }

  /** The remaining bytes, at most {@link Sender#maxDataBytes}; this method does not copy them. */
  public static Payload of(ByteBuffer bytes) {
    return new Payload(
        UnsafeByteOperations.unsafeWrap(bytes.duplicate()), null, 0, bytes.remaining());
  }

  /** All of a staged buffer. */
  public static Payload of(StagedBuffer staged) {
    return new Payload(ByteString.EMPTY, staged, 0, staged.sizeBytes());
  }

  /**
   * A part of a staged buffer.
   *
   * @throws IndexOutOfBoundsException if it does not lie within the buffer
   */
  public static Payload of(StagedBuffer staged, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, staged.sizeBytes());
    return new Payload(ByteString.EMPTY, staged, offset, length);
  }

  /** How many bytes are sent. */
  public long sizeBytes() {
    return length;
  }

  ByteString bytes() {
    return bytes;
  }

  @Nullable StagedBuffer staged() {
    return staged;
  }

  long offset() {
    return offset;
  }
}
