package dev.pagetide.server.buffer;

import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Objects;

/**
 * A file with a header and a page table, of whose pages it is only counted which hold memory: for
 * runs by the hundred thousand that look at pages and not at bytes. Each call's arguments are
 * checked.
 */
final class CountingFile implements PageFile {
  private final SharedFileLayout layout;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment mapping;
  private final BitSet resident = new BitSet();

  private CountingFile(SharedFileLayout layout) {
    this.layout = layout;
    this.mapping = arena.allocate(layout.dataOffset(), Memfd.systemPageSize());
  }

  static CountingFile make(String name, SharedFileLayout layout) {
    return new CountingFile(layout);
  }

  @Override
  public SharedFileLayout layout() {
    return layout;
  }

  @Override
  public MemorySegment header() {
    return mapping.asSlice(0, layout.tableOffset());
  }

  @Override
  public MemorySegment table() {
    return mapping.asSlice(layout.tableOffset(), (long) layout.pageCount() * Long.BYTES);
  }

  @Override
  public synchronized void allocate(int startPage, int endPage) {
    checkPages(startPage, endPage);
    int held = resident.get(startPage, endPage).cardinality();
    if (held > 0) {
      throw new AssertionError(held + " pages of the run have memory already");
    }
    resident.set(startPage, endPage);
  }

  @Override
  public synchronized void punch(int startPage, int endPage) {
    checkPages(startPage, endPage);
    resident.clear(startPage, endPage);
  }

  private void checkPages(int startPage, int endPage) {
    Objects.checkFromToIndex(startPage, endPage, layout.pageCount());
    if (startPage == endPage) {
      throw new AssertionError("no page at " + startPage);
    }
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    throw new UnsupportedOperationException("there are no bytes");
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    throw new UnsupportedOperationException("there are no bytes");
  }

  @Override
  public void writeZeros(long offset, long length) {
    throw new UnsupportedOperationException("there are no bytes");
  }

  @Override
  public synchronized long residentPages() {
    return (long) layout.bookkeepingPages() + resident.cardinality();
  }

  @Override
  public FileDuplicate duplicate() {
    throw new UnsupportedOperationException("there is no descriptor");
  }

  @Override
  public void close(boolean punch) {
    arena.close();
  }
}
