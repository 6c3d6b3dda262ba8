package dev.pagetide.server.buffer;

import dev.pagetide.server.page.TableOnlyFile;
import dev.pagetide.shm.SharedFileLayout;
import java.util.BitSet;
import java.util.Objects;

/**
 * A file with a header and a page table, of whose pages it is only counted which hold memory: for
 * runs by the hundred thousand that look at pages and not at bytes. Each call's arguments are
 * checked.
 */
final class CountingFile extends TableOnlyFile {
  private final BitSet resident = new BitSet();

  private CountingFile(SharedFileLayout layout) {
    super(layout);
  }

  static CountingFile make(String name, SharedFileLayout layout) {
    return new CountingFile(layout);
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
    Objects.checkFromToIndex(startPage, endPage, layout().pageCount());
    if (startPage == endPage) {
      throw new AssertionError("no page at " + startPage);
    }
  }

  @Override
  public synchronized long residentPages() {
    return (long) layout().bookkeepingPages() + resident.cardinality();
  }
}
