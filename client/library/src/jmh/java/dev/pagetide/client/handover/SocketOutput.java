package dev.pagetide.client.handover;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** Messages that are written in place and gathered, until they are enough for a system call. */
final class SocketOutput {
  /** From here on a larger write is not quicker; and the bytes are still in the cache. */
  private static final int ENOUGH_BYTES = 1 << 16;

  private static final int CAPACITY_BYTES = HandOver.MAX_SIZE_BYTES + 2 * ENOUGH_BYTES;

  private final SocketChannel channel;
  private final MemorySegment memory = Arena.ofAuto().allocate(CAPACITY_BYTES, 64);
  private final ByteBuffer buffer = memory.asByteBuffer();
  private int end;

  SocketOutput(SocketChannel channel) {
    this.channel = channel;
  }

  /** The next {@code count} bytes, to be written before anything else is called. */
  MemorySegment reserve(int count) throws IOException {
    if (end + count > CAPACITY_BYTES) {
      flush();
    }
    end += count;
    return memory.asSlice(end - count, count);
  }

  /** Sends what there is if it is enough. */
  void flushIfEnough() throws IOException {
    if (end >= ENOUGH_BYTES) {
      flush();
    }
  }

  /** Sends what there is. */
  void flush() throws IOException {
    buffer.position(0).limit(end);
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    end = 0;
  }
}
