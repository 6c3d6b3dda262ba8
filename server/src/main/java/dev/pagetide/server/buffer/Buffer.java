package dev.pagetide.server.buffer;

import dev.pagetide.server.page.PageSpans;
import dev.pagetide.server.page.ShrinkablePageRange;

/**
 * One live buffer of a {@link BufferAllocator}: bytes of its range that no other live buffer has.
 *
 * <p>Its fields never change, with two exceptions: it gains its pages once, and its allocator,
 * which alone knows it, changes its state. Any thread may read a buffer, even after it is GONE.
 */
public final class Buffer {
  /** Where a buffer is in its life; its space is free only when it is GONE. */
  enum State {
    /** It is being filled, or waits for its pages; the client cannot free it. */
    BUILDING,
    /** The client has it and may free it, unless it is pinned. */
    DELIVERED,
    /** It was freed, and its bytes are being zeroed. */
    CLEARING,
    /** Its space is free, or another buffer's. */
    GONE
  }

  private final BufferAllocator allocator;
  private final ShrinkablePageRange range;
  private final BufferRequest request;
  private final long offset;
  private final long spaceBytes;
  private final boolean oneWaySpam;

  /** RACE: set once, under the allocator's lock. Any thread may read it, and may see it late. */
  private volatile boolean hasPages;

  // LOCKS: both are read and written only under the lock of the allocator that made this buffer.
  // Error Prone cannot tell that this is the lock that the allocator's methods hold.
  private State state = State.BUILDING;
  private int pins;

  Buffer(
      BufferAllocator allocator,
      ShrinkablePageRange range,
      BufferRequest request,
      long offset,
      long spaceBytes,
      boolean oneWaySpam) {
    this.allocator = allocator;
    this.range = range;
    this.request = request;
    this.offset = offset;
    this.spaceBytes = spaceBytes;
    this.oneWaySpam = oneWaySpam;
  }

  /**
   * Bytes from the start of the range; a multiple of 8. No other live buffer has the same offset.
   */
  public long offset() {
    return offset;
  }

  /** Bytes, as requested. */
  public long size() {
    return request.size();
  }

  /** Bytes it takes: the size rounded up to a multiple of 8, at least 8. */
  long spaceBytes() {
    return spaceBytes;
  }

  /** Whether it is charged to the one-way half of the range. */
  public boolean oneWay() {
    return request.oneWay();
  }

  /** Whether its bytes are zeroed before its space can be used again. */
  public boolean clearOnFree() {
    return request.clearOnFree();
  }

  /** The sender among whose one-way buffers it is counted. */
  long senderId() {
    return request.senderId();
  }

  /** The pages that it overlaps. Other buffers may overlap some of them, too. */
  public PageSpans pages() {
    return range.spans().add(startPage(), endPage()).build();
  }

  /** Whether those pages are resident and USED. Once true, they stay so while the buffer lives. */
  public boolean hasPages() {
    return hasPages;
  }

  /**
   * Whether its sender floods this range with one-way buffers, this one included: less than a tenth
   * of the one-way space was left, and the sender held more than 50 one-way buffers or more than a
   * quarter of the range.
   */
  public boolean oneWaySpam() {
    return oneWaySpam;
  }

  /** One past its last byte of space. */
  long endOffset() {
    return offset + spaceBytes;
  }

  /** The first page it overlaps. */
  int startPage() {
    return Math.toIntExact(offset / range.pageSize());
  }

  /** One past the last page it overlaps. */
  int endPage() {
    return Math.toIntExact((endOffset() - 1) / range.pageSize() + 1);
  }

  BufferAllocator allocator() {
    return allocator;
  }

  void gainPages() {
    hasPages = true;
  }

  State state() {
    return state;
  }

  void enter(State next) {
    state = next;
  }

  int pins() {
    return pins;
  }

  void changePins(int by) {
    pins += by;
  }

  @Override
  public String toString() {
    return "Buffer[offset=" + offset + ", size=" + size() + ", spaceBytes=" + spaceBytes + "]";
  }
}
