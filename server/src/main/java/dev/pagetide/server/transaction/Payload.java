package dev.pagetide.server.transaction;

import java.nio.ByteBuffer;

/** What a transaction or a reply hands over, before it is in a buffer. */
public sealed interface Payload {
  /** No bytes. */
  Payload NONE = new Bytes(ByteBuffer.allocate(0).asReadOnlyBuffer());

  /** How many bytes. */
  long length();

  /**
   * Bytes that came in the command.
   *
   * @param bytes nobody else's; copied once
   */
  record Bytes(ByteBuffer bytes) implements Payload {
    @Override
    public long length() {
      return bytes.remaining();
    }
  }

  /**
   * Bytes of the endpoint's own range.
   *
   * @param offset bytes from the range's start, unsigned
   * @param length bytes
   */
  record Slice(long offset, long length) implements Payload {}
}
