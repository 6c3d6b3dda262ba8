package dev.pagetide.server.buffer;

/**
 * A request for a buffer.
 *
 * @param size bytes, not negative; 0 asks for an empty buffer, which has an offset of its own
 * @param oneWay whether it is charged to the one-way half of the range
 * @param clearOnFree whether its bytes are zeroed before its space can be used again
 * @param senderId the sender among whose one-way buffers it is counted
 */
public record BufferRequest(long size, boolean oneWay, boolean clearOnFree, long senderId) {
  /** Refuses a negative size. */
  public BufferRequest {
    if (size < 0) {
      throw new IllegalArgumentException("size=" + size + " is negative");
    }
  }
}
