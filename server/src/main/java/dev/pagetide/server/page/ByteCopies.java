package dev.pagetide.server.page;

import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.nio.ByteBuffer;

/**
 * The copies of bytes in and out of one range's pages. The caller is inside an entry; no lock is
 * taken, unless a page was reclaimed under a write.
 */
final class ByteCopies {
  private final PageFile file;
  private final PageTable table;
  private final ResidentPages pages;
  private final long dataBytes;
  private final int pageSize;

  ByteCopies(PageFile file, PageTable table, ResidentPages pages) {
    this.file = file;
    this.table = table;
    this.pages = pages;
    this.dataBytes = file.layout().dataBytes();
    this.pageSize = file.layout().pageSize();
  }

  /** See {@link ShrinkablePageRange#read}. */
  void read(long offset, ByteBuffer target) {
    if (!checkBytes("Read", offset, target.remaining())) {
      return;
    }
    try {
      file.read(offset, target);
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    }
  }

  /** See {@link ShrinkablePageRange#write}. */
  void write(long offset, ByteBuffer source) {
    int length = source.remaining();
    copyIn("Write", offset, length, () -> file.write(offset, source));
  }

  /** See {@link ShrinkablePageRange#fillZero}. */
  void fillZero(long offset, long length) {
    copyIn("FillZero", offset, length, () -> file.writeZeros(offset, length));
  }

  /** See {@link RangeCopy#copy}. */
  void copyTo(long offset, ByteCopies target, long targetOffset, long length) {
    if (checkBytes("the transaction", offset, length)) {
      target.copyIn(
          "the transaction",
          targetOffset,
          length,
          () -> target.file.copyFrom(file, offset, targetOffset, length));
    }
  }

  @FunctionalInterface
  private interface CopyIn {
    void run() throws SystemCallException;
  }

  private void copyIn(String verb, long offset, long length, CopyIn copy) {
    if (!checkBytes(verb, offset, length)) {
      return;
    }
    try {
      try {
        copy.run();
      } finally {
        punchWhatCameBack(offset, length);
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    }
  }

  /** Whether there are bytes to copy; every page of them is in the range and USED. */
  private boolean checkBytes(String verb, long offset, long length) {
    if (length == 0) {
      return false;
    }
    if (length < 0 || offset < 0 || length > dataBytes || offset > dataBytes - length) {
      throw PageFailure.PastEnd.ofBytes(offset, length, dataBytes);
    }
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      long word = table.wordAcquire(page);
      PageState state =
          !pages.isResident(page) || PageWord.state(word) == PageWord.FREE
              ? PageState.FREE
              : PageWord.state(word) == PageWord.AVAILABLE ? PageState.AVAILABLE : PageState.USED;
      if (state != PageState.USED) {
        throw new PageFailure.NotUsed(verb, page, state.name());
      }
    }
    return true;
  }

  /**
   * Punches pages that a write gave memory to because they were stopped and reclaimed under it.
   *
   * <p>ORDER: a reclaim makes the word FREE, punches, then clears the bit. If our write came after
   * its punch, we see the word FREE here, or the bit clear, or the page is in use again and its
   * memory is accounted for.
   */
  private void punchWhatCameBack(long offset, long length) throws SystemCallException {
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      if (pages.isResident(page) && PageWord.state(table.wordAcquire(page)) != PageWord.FREE) {
        continue;
      }
      pages.lock.lock();
      try {
        pages.punchIfClear(page);
      } finally {
        pages.lock.unlock();
      }
    }
  }

  private int startPage(long offset) {
    return (int) (offset / pageSize);
  }

  private int endPage(long offset, long length) {
    return (int) ((offset + length - 1) / pageSize) + 1;
  }
}
