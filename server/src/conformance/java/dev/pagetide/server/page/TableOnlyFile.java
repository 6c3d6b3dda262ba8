package dev.pagetide.server.page;

import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** A file with a header, a page table, and pages that say they have memory and have none. */
public class TableOnlyFile implements PageFile {
  private final SharedFileLayout layout;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment mapping;

  protected TableOnlyFile(SharedFileLayout layout) {
    this.layout = layout;
    this.mapping = arena.allocate(layout.dataOffset(), Memfd.systemPageSize());
  }

  static TableOnlyFile make(String name, SharedFileLayout layout) {
    return new TableOnlyFile(layout);
  }

  @Override
  public final SharedFileLayout layout() {
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
  public void allocate(int startPage, int endPage) {}

  @Override
  public void punch(int startPage, int endPage) {}

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
  public long residentPages() {
    return 0; // never more than there should be
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
