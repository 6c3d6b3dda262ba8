package dev.pagetide.server.buffer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The sizes and orders of Binder's own test of its allocator ({@code
 * drivers/android/tests/binder_alloc_kunit.c}): five buffers whose ends lie in all ways on, just
 * behind and far behind a page's edge.
 */
final class BufferVectors {
  static final int PAGE_BYTES = 4096;
  static final int RANGE_PAGES = 32;
  static final int BUFFERS = 5;

  private static final int STEP_BYTES = 512;
  private static final long RANGE_BYTES = (long) RANGE_PAGES * PAGE_BYTES;

  private BufferVectors() {}

  /** Where the five buffers end: 5 choices for each, after each end of the one before. */
  static List<long[]> ends() {
    List<long[]> vectors = List.of(new long[0]);
    for (int buffer = 0; buffer < BUFFERS; buffer++) {
      List<long[]> longer = new ArrayList<>();
      for (long[] vector : vectors) {
        long previous = buffer == 0 ? 0 : vector[buffer - 1];
        long stepped = previous + STEP_BYTES;
        long edge = (stepped + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        for (long end :
            new long[] {
              stepped, edge, edge + STEP_BYTES, edge + PAGE_BYTES, edge + PAGE_BYTES + STEP_BYTES
            }) {
          long[] next = Arrays.copyOf(vector, buffer + 1);
          next[buffer] = end;
          longer.add(next);
        }
      }
      vectors = longer;
    }
    return vectors;
  }

  /** The sizes that make these ends. */
  static long[] frontSizes(long[] ends) {
    long[] sizes = new long[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) {
      sizes[i] = ends[i] - (i == 0 ? 0 : ends[i - 1]);
    }
    return sizes;
  }

  /** The same from the range's end: reversed, and the first so large that the last ends there. */
  static long[] backSizes(long[] ends) {
    long[] front = frontSizes(ends);
    long[] sizes = new long[BUFFERS];
    for (int i = 0; i < BUFFERS; i++) {
      sizes[i] = front[BUFFERS - 1 - i];
    }
    sizes[0] += RANGE_BYTES - ends[BUFFERS - 1];
    return sizes;
  }

  /** All 120 orders of five buffers. */
  static List<int[]> orders() {
    List<int[]> orders = List.of(new int[0]);
    for (int length = 0; length < BUFFERS; length++) {
      List<int[]> longer = new ArrayList<>();
      for (int[] order : orders) {
        for (int next = 0; next < BUFFERS; next++) {
          int buffer = next;
          if (Arrays.stream(order).noneMatch(chosen -> chosen == buffer)) {
            int[] appended = Arrays.copyOf(order, length + 1);
            appended[length] = buffer;
            longer.add(appended);
          }
        }
      }
      orders = longer;
    }
    return orders;
  }
}
