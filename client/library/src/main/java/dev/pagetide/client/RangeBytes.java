package dev.pagetide.client;

import com.google.protobuf.ByteString;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Where the bytes of one BUFFERS range are to be had: in place if its file is mapped, else from the
 * messages that brought them or by Read. Thread-safe.
 *
 * <p>The page table in the file of such a range is zeros (its words live in the server), so nothing
 * here looks at it.
 */
final class RangeBytes {

  /** The longest array that every virtual machine makes. */
  private static final int LARGEST_ARRAY_BYTES = Integer.MAX_VALUE - 8;

  private final @Nullable MappedFile file;
  private final RangeCalls calls;
  private final int maxDataBytes;
  private final boolean confinedSegments;

  RangeBytes(OpenedSession session, UnaryCalls calls) {
    SharedPages pages = session.pages();
    this.file = pages == null ? null : pages.file();
    this.calls = new RangeCalls(calls, session.ticket());
    this.maxDataBytes = session.ticket().maxDataBytes();
    this.confinedSegments = calls.options().confinedSegments();
  }

  /**
   * Bytes that live until they are closed.
   *
   * @param segment the bytes; an access after the end throws {@link IllegalStateException}
   * @param lifetime what makes it so; null where nothing does
   * @param borrowed the mapping that must outlive them; null where they are no part of it
   */
  record View(MemorySegment segment, @Nullable Arena lifetime, @Nullable MappedFile borrowed)
      implements AutoCloseable {

    /**
     * Ends the bytes.
     *
     * @throws WrongThreadException if they belong to another thread: then they live on
     * @throws IllegalStateException if they are being read at this moment by a call that cannot be
     *     stopped: then they live on
     */
    @Override
    public void close() {
      if (lifetime != null) {
        lifetime.close();
      }
      if (borrowed != null) {
        borrowed.letGo();
      }
    }
  }

  /** Whether this library may make segments that end on their own, without Java's warning. */
  static boolean mayReinterpret() {
    return RangeBytes.class.getModule().isNativeAccessEnabled();
  }

  /** Whether the file is mapped. */
  boolean isMapped() {
    return file != null;
  }

  /** Most bytes that one message carries. */
  int maxDataBytes() {
    return maxDataBytes;
  }

  /**
   * Whether the bytes of a delivered buffer must be {@linkplain #read read} from the server.
   *
   * @param delivered what came with the message that told of the buffer
   */
  boolean mustBeRead(long size, ByteString delivered) {
    return file == null && delivered.size() != size;
  }

  /**
   * The bytes of a delivered buffer, read-only, which belong to the calling thread. Never waits.
   *
   * @param delivered what came with the message that told of the buffer: all of it, if the file is
   *     not mapped
   * @throws PagetideException if the session has ended
   */
  View received(long offset, long size, ByteString delivered) {
    MappedFile mapped = file;
    if (mapped == null) {
      return copied(delivered.asReadOnlyByteBuffer());
    }
    Arena lifetime = Arena.ofConfined();
    boolean done = false;
    try {
      View view =
          mapped.keepsFile()
              ? mappedAnew(mapped, offset, size, lifetime)
              : sliced(mapped, offset, size, lifetime);
      done = true;
      return view;
    } finally {
      if (!done) {
        lifetime.close();
      }
    }
  }

  @SuppressWarnings("restricted")
  private static View sliced(MappedFile mapped, long offset, long size, Arena lifetime) {
    if (!mapped.borrow()) {
      throw unmapped(null);
    }
    boolean done = false;
    try {
      // SAFETY: the slice lies within the mapping, and the mapping lives until letGo(), which only
      // the view's end calls, after the arena that these bytes end with.
      MemorySegment bytes =
          mapped.data().asSlice(offset, size).asReadOnly().reinterpret(lifetime, null);
      done = true;
      return new View(bytes, lifetime, mapped);
    } finally {
      if (!done) {
        mapped.letGo();
      }
    }
  }

  private static View mappedAnew(MappedFile mapped, long offset, long size, Arena lifetime) {
    try {
      return new View(
          mapped.mapAnew(offset, size, FileChannel.MapMode.READ_ONLY, lifetime), lifetime, null);
    } catch (IllegalStateException e) {
      throw unmapped(e);
    }
  }

  /** Fills {@code into} with the bytes at {@code offset}. Cancelling the future ends that. */
  CompletableFuture<Void> read(long offset, ByteBuffer into) {
    return calls.read(offset, into.duplicate());
  }

  /**
   * Room for what {@link #read} brings.
   *
   * @throws PagetideException RESOURCE_EXHAUSTED if it is more than one array can hold
   */
  static ByteBuffer roomFor(long size) {
    if (size > LARGEST_ARRAY_BYTES) {
      throw PagetideException.local(
          StatusCode.RESOURCE_EXHAUSTED,
          "size="
              + size
              + " is more than one array can hold, "
              + LARGEST_ARRAY_BYTES
              + " bytes; map the range's file (ClientOptions.access) to read more");
    }
    return ByteBuffer.allocate((int) size);
  }

  /** A copy of {@code content}, read-only, which belongs to the calling thread. */
  static View copied(ByteBuffer content) {
    Arena lifetime = Arena.ofConfined();
    MemorySegment copy = lifetime.allocate(content.remaining());
    copy.copyFrom(MemorySegment.ofBuffer(content));
    return new View(copy.asReadOnly(), lifetime, null);
  }

  /**
   * The bytes of a staged buffer, to be written by any thread.
   *
   * @throws PagetideException if the session has ended
   */
  View staged(long offset, long size) {
    MappedFile mapped = file;
    if (mapped == null) {
      return new View(Arena.ofAuto().allocate(size, Long.BYTES), null, null);
    }
    if (!confinedSegments) {
      return new View(mapped.data().asSlice(offset, size), null, null);
    }
    Arena lifetime = Arena.ofShared();
    try {
      return new View(
          mapped.mapAnew(offset, size, FileChannel.MapMode.READ_WRITE, lifetime), lifetime, null);
    } catch (IllegalStateException e) {
      lifetime.close();
      throw unmapped(e);
    } catch (PagetideException e) {
      lifetime.close();
      throw e;
    }
  }

  private static PagetideException unmapped(@Nullable Exception cause) {
    return PagetideException.local(
        StatusCode.ABORTED,
        "the session has ended, and its bytes are not in this process any more",
        cause);
  }
}
