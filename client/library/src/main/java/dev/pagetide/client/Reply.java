package dev.pagetide.client;

import java.lang.foreign.MemorySegment;

/**
 * The reply to a two-way transaction: bytes in the asker's own range, which the asker must free.
 *
 * <p>Any number of threads may call any method at once, but the bytes belong to one of them: see
 * {@link #data}. A reply that is not closed takes space of the range until the sender is closed.
 */
public final class Reply implements AutoCloseable {

  private final DeliveredBuffer buffer;

  Reply(DeliveredBuffer buffer) {
    this.buffer = buffer;
  }

  /** How many bytes the reply has. */
  public long sizeBytes() {
    return buffer.size();
  }

  /**
   * The bytes, read-only. If the range's file is mapped, they are in place. They belong to the
   * thread that calls this first: another thread's access, or its {@link #close}, throws {@link
   * WrongThreadException}. An access after {@link #close} throws {@link IllegalStateException}.
   *
   * <p>If the file is not mapped and there are more than {@link Sender#maxDataBytes} bytes, this
   * call reads them from the server. It then blocks, at most for the client's call timeout and
   * until this is closed. On a thread that delivers answers it throws instead.
   *
   * @throws IllegalStateException if this is closed; or if this call would block on a thread that
   *     delivers answers
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
