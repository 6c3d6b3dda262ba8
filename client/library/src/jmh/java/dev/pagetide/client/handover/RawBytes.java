package dev.pagetide.client.handover;

import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;

/**
 * A gRPC message that is bytes and nothing else: no protobuf around them, no object of its own.
 *
 * <p>Out it is copied once, by gRPC into Netty's buffer, before {@code sendMessage} returns; so its
 * array may be written again then. In it is copied once, out of Netty's buffers into an array of
 * the thread; so it is good until the thread parses the next one. Fewer copies gRPC has no door
 * for.
 *
 * <p>Only a call on a channel that is still connecting keeps the message itself; each end's first
 * messages are one at a time, so nobody writes it meanwhile.
 */
final class RawBytes {
  private static final String SERVICE = "handover.HandOver";

  /** One message a call. */
  static final MethodDescriptor<RawBytes, RawBytes> UNARY = method(MethodType.UNARY, "Unary");

  /** All messages on one call. */
  static final MethodDescriptor<RawBytes, RawBytes> STREAM =
      method(MethodType.BIDI_STREAMING, "Stream");

  private static final ThreadLocal<RawBytes> PARSED =
      ThreadLocal.withInitial(() -> new RawBytes(HandOver.MAX_SIZE_BYTES));

  private final byte[] array;
  private final MemorySegment segment;
  private int length;

  private RawBytes(int capacity) {
    this.array = new byte[capacity];
    this.segment = MemorySegment.ofArray(array);
    this.length = capacity;
  }

  /** A message of this length, to be filled. */
  static RawBytes ofLength(int length) {
    return new RawBytes(length);
  }

  /** Its bytes, in place. */
  MemorySegment segment() {
    return length == array.length ? segment : segment.asSlice(0, length);
  }

  int length() {
    return length;
  }

  private static MethodDescriptor<RawBytes, RawBytes> method(MethodType type, String name) {
    return MethodDescriptor.<RawBytes, RawBytes>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setRequestMarshaller(new Marshaller())
        .setResponseMarshaller(new Marshaller())
        .build();
  }

  private static final class Marshaller implements MethodDescriptor.Marshaller<RawBytes> {
    @Override
    public InputStream stream(RawBytes message) {
      return new Stream(message);
    }

    @Override
    public RawBytes parse(InputStream stream) {
      RawBytes message = PARSED.get();
      try {
        message.length = stream.readNBytes(message.array, 0, message.array.length);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return message;
    }
  }

  /** What gRPC writes a message from: it asks for the length, and then for all at once. */
  private static final class Stream extends ByteArrayInputStream implements KnownLength, Drainable {
    Stream(RawBytes message) {
      super(message.array, 0, message.length);
    }

    @Override
    public int drainTo(OutputStream target) throws IOException {
      int drained = count - pos;
      target.write(buf, pos, drained);
      pos = count;
      return drained;
    }
  }
}
