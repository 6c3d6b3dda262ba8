package dev.pagetide.server.buffer;

import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.shm.PageState;
import java.util.BitSet;

/**
 * Keeps the pages of one range in step with its buffers: USED exactly where a live buffer is. Not
 * thread-safe: guarded by its allocator's lock.
 */
/*
 * Which pages the end of a buffer stops, and why no other live buffer loses one: buffers are
 * disjoint. So of all buffers before this one, only the last can reach into its first page; and of
 * all buffers behind it, only the first can reach into its last page. Its pages are [floor(offset /
 * P), ceil(end / P)). The first page is left out if the buffer before ends after that page starts.
 * The last page is left out if the buffer behind starts before that page ends. No other buffer is
 * between the two.
 *
 * Binder starts from the inside: it takes [ceil(offset / P), floor(end / P)), and adds the first
 * page and the last page if no neighbour is in them. For a buffer within one page, the ends of that
 * interval are inverted by one, and they are right again once both pages were added. We start from
 * the outside. If both neighbours are in the only page, it is left out twice: then the ends are
 * inverted by one, and the interval names no page. A small buffer alone in its page leaves nothing
 * out, and stops it.
 */
final class BufferPages {
  private final ShrinkablePageRange range;
  private final int pageSize;

  BufferPages(ShrinkablePageRange range) {
    this.range = range;
    this.pageSize = range.pageSize();
  }

  /**
   * Uses a buffer's pages if all are resident; a warm call.
   *
   * @throws PageFailure.Closed if the range has ended
   */
  void tryUse(Buffer buffer) {
    if (range.tryUseRange(buffer.startPage(), buffer.endPage())) {
      buffer.gainPages();
    }
  }

  /**
   * Stops the pages of a buffer that neither neighbour overlaps; a warm call. Does nothing if the
   * range has ended.
   *
   * @param endBefore where the live buffer before it ends
   * @param startAfter where the live buffer behind it starts
   */
  void stop(Buffer buffer, long endBefore, long startAfter) {
    int start = buffer.startPage();
    int end = buffer.endPage();
    if (endBefore > (long) start * pageSize) {
      start++;
    }
    if (startAfter < (long) end * pageSize) {
      end--;
    }
    try {
      range.stopUsingRange(start, end);
    } catch (PageFailure.Closed e) {
      // RACE: the range has ended meanwhile, and has no pages any more.
    }
  }

  /** Throws if a page's state contradicts these buffers, which must be all live ones. */
  void check(Iterable<Buffer> buffers) {
    BitSet overlapped = new BitSet();
    BitSet held = new BitSet();
    for (Buffer buffer : buffers) {
      overlapped.set(buffer.startPage(), buffer.endPage());
      if (buffer.hasPages()) {
        held.set(buffer.startPage(), buffer.endPage());
      }
    }
    PageState[] states = range.states(0, range.pageCount());
    for (int page = 0; page < states.length; page++) {
      boolean used = states[page] == PageState.USED;
      if (used ? !overlapped.get(page) : held.get(page)) {
        throw new IllegalStateException("page " + page + " is " + states[page]);
      }
    }
  }
}
