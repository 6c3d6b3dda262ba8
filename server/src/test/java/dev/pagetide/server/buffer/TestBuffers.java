package dev.pagetide.server.buffer;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.Invariants;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/** One range and the allocator of its buffers, made for one test and closed with it. */
final class TestBuffers implements AutoCloseable {
  static final int MAX_BUFFERS = 1_000;

  private static final long UNLIMITED_PAGES = 1L << 40;
  private static final int SENDER = 7;

  final PageBudget budget;
  final Shrinker shrinker;
  final ShrinkablePageRange range;
  final BufferAllocator allocator;

  TestBuffers(int pages, long budgetPages, PageClock clock, PageFileMaker files) {
    this.budget = PageBudget.root("--max-resident-bytes", budgetPages);
    this.shrinker = new Shrinker(budget, clock, PageObserver.NONE);
    long bytes = (long) pages * files.pageSize();
    RangeConfig config = new RangeConfig(files, bytes, 1);
    PageBudget own = budget.child("--max-resident-bytes-per-session", budgetPages);
    this.range = ShrinkablePageRange.register(1, RangeMode.BUFFERS, bytes, config, own, shrinker);
    this.allocator = new BufferAllocator(range, MAX_BUFFERS);
  }

  static TestBuffers ofPages(int pages) {
    return ofPages(pages, PageFileMaker.MEMFD);
  }

  static TestBuffers ofPages(int pages, PageFileMaker files) {
    return new TestBuffers(pages, UNLIMITED_PAGES, PageClock.MONOTONIC, files);
  }

  /** With memory for {@code dataPages} pages beside header and table. */
  static TestBuffers withMemoryFor(int dataPages, int pages) {
    return new TestBuffers(pages, 2L + dataPages, PageClock.MONOTONIC, PageFileMaker.MEMFD);
  }

  static BufferRequest twoWay(long size) {
    return new BufferRequest(size, false, false, SENDER);
  }

  static BufferRequest oneWay(long size, long sender) {
    return new BufferRequest(size, true, false, sender);
  }

  static BufferRequest toClear(long size) {
    return new BufferRequest(size, false, true, SENDER);
  }

  /** A two-way buffer with its pages, BUILDING. */
  Buffer allocate(long size) {
    return allocator.allocate(twoWay(size));
  }

  Buffer delivered(long size) {
    return delivered(twoWay(size));
  }

  Buffer delivered(BufferRequest request) {
    Buffer buffer = allocator.allocate(request);
    allocator.deliver(buffer);
    return buffer;
  }

  /** Frees buffers in this order. */
  void free(Buffer... buffers) {
    for (Buffer buffer : buffers) {
      allocator.free(buffer.offset());
    }
  }

  /** Gives back a buffer that was not delivered, and clears it if need be. */
  void abandon(Buffer buffer) {
    Buffer toClear = allocator.abandon(buffer);
    if (toClear != null) {
      allocator.finishFree(toClear);
    }
  }

  /** Bytes of some pages. */
  long pages(long count) {
    return count * range.pageSize();
  }

  /** The states of all pages, one letter each: F, A, U. */
  String map() {
    StringBuilder map = new StringBuilder();
    for (PageState state : range.states(0, range.pageCount())) {
      map.append(state.name().charAt(0));
    }
    return map.toString();
  }

  byte[] bytesAt(long offset, long length) {
    byte[] bytes = new byte[Math.toIntExact(length)];
    range.read(offset, ByteBuffer.wrap(bytes));
    return bytes;
  }

  byte[] bytesOf(Buffer buffer) {
    return bytesAt(buffer.offset(), buffer.spaceBytes());
  }

  /** Fills all of a buffer's space. */
  void fill(Buffer buffer, int with) {
    range.write(buffer.offset(), ByteBuffer.wrap(filled(buffer, with)));
  }

  static byte[] filled(Buffer buffer, int with) {
    byte[] bytes = new byte[Math.toIntExact(buffer.spaceBytes())];
    Arrays.fill(bytes, (byte) with);
    return bytes;
  }

  /** Asserts what must hold of buffers, pages and the memory beneath, while nothing runs. */
  void checkInvariants() {
    allocator.checkInvariants();
    Invariants.check(budget, shrinker, List.of(range));
  }

  @Override
  public void close() {
    allocator.close();
    range.close();
  }
}
