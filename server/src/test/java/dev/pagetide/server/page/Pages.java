package dev.pagetide.server.page;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;

/** Short words for tests: sets of pages, and bytes of a range. */
final class Pages {
  private Pages() {}

  static BitSet toBits(PageSpans spans) {
    BitSet pages = new BitSet();
    for (int span = 0; span < spans.size(); span++) {
      pages.set(spans.startPage(span), spans.endPage(span));
    }
    return pages;
  }

  static PageSpans spans(int pageCount, BitSet pages) {
    PageSpans.Builder builder = new PageSpans.Builder(pageCount);
    int start = pages.nextSetBit(0);
    while (start >= 0) {
      int end = pages.nextClearBit(start);
      builder.add(start, end);
      start = pages.nextSetBit(end);
    }
    return builder.build();
  }

  /** Fills whole pages, which have to be USED, with one byte. */
  static void fill(ShrinkablePageRange range, int startPage, int endPage, int value) {
    byte[] bytes = new byte[(endPage - startPage) * range.pageSize()];
    Arrays.fill(bytes, (byte) value);
    range.write((long) startPage * range.pageSize(), ByteBuffer.wrap(bytes));
  }

  /** The bytes of whole pages, which have to be USED. */
  static byte[] bytes(ShrinkablePageRange range, int startPage, int endPage) {
    return bytesAt(
        range, (long) startPage * range.pageSize(), (endPage - startPage) * range.pageSize());
  }

  static byte[] bytesAt(ShrinkablePageRange range, long offset, int length) {
    ByteBuffer target = ByteBuffer.allocate(length);
    range.read(offset, target);
    return target.array();
  }
}
