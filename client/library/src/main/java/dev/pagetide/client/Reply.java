package dev.pagetide.client;

import java.lang.foreign.MemorySegment;

/**
 * The reply to a two-way transaction: bytes in the asker's own range, to be freed.
 *
 * <p>Any number of threads may call any method at once, but the bytes belong to one of them: see
 * {@link #data}. A reply that is not closed takes up its range until the sender is closed.
 */
public final class Reply implements AutoCloseable {

  private final DeliveredBuffer buffer;

  Reply(DeliveredBuffer buffer) {
    this.buffer = buffer;
  }

  /** How many bytes were replied. */
  public long sizeBytes() {
    return buffer.size();
  }

  /**
   * The bytes, read-only, in place where the range's file is mapped. They belong to the thread that
   * calls this first: another thread's access, or {@link #close}, throws {@link
   * WrongThreadException}. An access after {@link #close} throws {@link IllegalStateException}.
   *
   * <p>Where the file is not mapped, more than {@link Sender#maxDataBytes} are read by this call,
   * which then blocks: for the client's call timeout at most, and until this is closed. Where
   * answers are delivered it refuses to.
   *
   * @throws IllegalStateException if this is closed; or where answers are delivered, if it would
   *     block
   * @throws PagetideException if the session has ended
   */
  public MemorySegment data() {
    return buffer.data();
  }

  /**
   * Frees the buffer; its bytes are gone. Never waits; calling it again does nothing.
   *
   * @throws WrongThreadException if {@link #data} was called by another thread; nothing is freed
   */
  @Override
  public void close() {
    buffer.close();
  }
}
