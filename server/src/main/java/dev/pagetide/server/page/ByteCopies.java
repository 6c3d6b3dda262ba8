package dev.pagetide.server.page;

import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;

/**
 * Copies bytes into and out of one range's pages, each time inside an entry. Takes no lock, unless
 * a page was reclaimed during a write.
 */
final class ByteCopies {
  /** The name of a copy between ranges in messages of refusals. */
  private static final String TRANSACTION = "the transaction";

  private final PageFile file;
  private final PageMap map;
  private final ResidentPages pages;
  private final CloseGuard guard;
  private final long dataBytes;
  private final int pageSize;

  ByteCopies(PageFile file, PageMap map, ResidentPages pages, CloseGuard guard) {
    this.file = file;
    this.map = map;
    this.pages = pages;
    this.guard = guard;
    this.dataBytes = file.layout().dataBytes();
    this.pageSize = file.layout().pageSize();
  }

  /** See {@link ShrinkablePageRange#read}. */
  void read(long offset, ByteBuffer target) {
    guard.enter();
    try {
      if (checkBytes("Read", offset, target.remaining())) {
        file.read(offset, target);
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      guard.leave();
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

  /**
   * See {@link RangeCopy#copy}.
   *
   * @param kept whether this range's pages stay USED during the copy, because only the server can
   *     change their states
   */
  void copyTo(long offset, ByteCopies target, long targetOffset, long length, boolean kept) {
    guard.enter();
    try {
      if (checkBytes(TRANSACTION, offset, length)) {
        // SAFETY: we are inside both ranges, so no descriptor or mapping ends during the copy.
        target.copyIn(
            TRANSACTION,
            targetOffset,
            length,
            () -> target.file.copyFrom(file, offset, targetOffset, length, kept));
      }
    } finally {
      guard.leave();
    }
  }

  @FunctionalInterface
  private interface CopyIn {
    void run() throws SystemCallException;
  }

  private void copyIn(String verb, long offset, long length, CopyIn copy) {
    guard.enter();
    try {
      if (checkBytes(verb, offset, length)) {
        copyAndLookAgain(offset, length, copy);
      }
    } catch (SystemCallException e) {
      throw new PageFailure.SystemRefused(e);
    } finally {
      guard.leave();
    }
  }

  private void copyAndLookAgain(long offset, long length, CopyIn copy) throws SystemCallException {
    try {
      copy.run();
    } finally {
      punchWhatCameBack(offset, length);
    }
  }

  /** Checks that all pages are in the range and USED. Returns whether there are bytes to copy. */
  private boolean checkBytes(String verb, long offset, long length) {
    if (length == 0) {
      return false;
    }
    if (length < 0 || offset < 0 || length > dataBytes || offset > dataBytes - length) {
      throw PageFailure.PastEnd.ofBytes(offset, length, dataBytes);
    }
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      PageState state = map.state(page);
      if (state != PageState.USED) {
        throw new PageFailure.NotUsed(verb, page, state.name());
      }
    }
    return true;
  }

  /**
   * Punches pages that a write gave memory to because they were stopped and reclaimed during it.
   *
   * <p>ORDER: a reclaim makes the word FREE, punches, then clears the bit. If our write came after
   * its punch, there are three cases here. We see that the word is FREE; or we see that the bit is
   * clear; or the page is in use again, and its memory is accounted for.
   */
  private void punchWhatCameBack(long offset, long length) throws SystemCallException {
    int endPage = endPage(offset, length);
    for (int page = startPage(offset); page < endPage; page++) {
      if (map.state(page) != PageState.FREE) {
        continue;
      }
      // This may be an event loop. If the lock is held for long, the audit by time takes the page.
      if (pages.tryLockBriefly()) {
        try {
          pages.punchIfClear(page);
        } finally {
          pages.lock.unlock();
        }
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
