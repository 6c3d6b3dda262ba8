package dev.pagetide.server.transaction;

import java.nio.ByteBuffer;

/** The bytes that a transaction or a reply sends, before they are in a buffer. */
public sealed interface Payload {
  /** No bytes. */
  Payload NONE = new Bytes(ByteBuffer.allocate(0).asReadOnlyBuffer());

  /** The number of bytes. */
  long length();

  /**
   * Bytes that came in the command.
   *
   * @param bytes not shared with other code; copied once
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
