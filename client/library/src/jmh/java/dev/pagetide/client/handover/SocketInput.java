package dev.pagetide.client.handover;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** Bytes of a socket, in a buffer where messages are read in place. */
final class SocketInput {
  /** How much is read ahead: many small messages, and no start of a large one's neighbour. */
  private static final int AHEAD_BYTES = 1 << 16;

  private static final int CAPACITY_BYTES = HandOver.MAX_SIZE_BYTES + 2 * AHEAD_BYTES;

  private final SocketChannel channel;
  private final MemorySegment memory = Arena.ofAuto().allocate(CAPACITY_BYTES, 64);
  private final ByteBuffer buffer = memory.asByteBuffer();
  private int start;
  private int end;

  SocketInput(SocketChannel channel) {
    this.channel = channel;
  }

  /**
   * The next {@code count} bytes, good until the next call; waits for them.
   *
   * @throws EOFException if the socket's other end is closed
   */
  MemorySegment take(int count) throws IOException {
    while (end - start < count) {
      readFor(count);
    }
    start += count;
    return memory.asSlice(start - count, count);
  }

  /** The next byte. */
  byte takeByte() throws IOException {
    return take(1).get(ValueLayout.JAVA_BYTE, 0);
  }

  private void readFor(int count) throws IOException {
    if (start == end || start + count > CAPACITY_BYTES) {
      MemorySegment.copy(memory, start, memory, 0, end - start);
      end -= start;
      start = 0;
    }
    int limit = Math.max(start + count, Math.min(end + AHEAD_BYTES, CAPACITY_BYTES));
    int read = channel.read(buffer.limit(limit).position(end));
    if (read < 0) {
      throw new EOFException("the other end has closed the socket");
    }
    end += read;
  }
}
