package dev.pagetide.server.buffer;

import dev.pagetide.shm.PageState;
import java.util.Arrays;
import java.util.List;

/**
 * Binder's own test of its allocator, run on ours: every vector of sizes, from the front and up to
 * the end of the range, freed in every order.
 *
 * <p>One run allocates five buffers, frees them in some order, allocates the same again, which must
 * take AVAILABLE pages only, frees them again, and scans until nothing is left. After every
 * allocation and every free, buffers and pages are held against each other.
 */
final class ExhaustiveBuffers {
  /** Into how many equal parts the runs can be divided. */
  static final int PARTS = 10;

  private final TestBuffers buffers;
  private final long[] runsByReclaimedPages = new long[BufferVectors.RANGE_PAGES + 1];

  /** On a range of {@link BufferVectors#RANGE_PAGES} FREE pages. */
  ExhaustiveBuffers(TestBuffers buffers) {
    this.buffers = buffers;
  }

  /**
   * What the pages of many runs did.
   *
   * @param runsByReclaimedPages how many runs reclaimed 0, 1, 2, ... pages
   */
  record Totals(long runs, long allocated, long reused, List<Long> runsByReclaimedPages) {}

  /** All runs. */
  Totals runAll() {
    return run(-1);
  }

  /** A tenth of the runs: of every vector, from either end, twelve orders; in all, every order. */
  Totals runPart(int part) {
    return run(part);
  }

  private Totals run(int part) {
    long runs = 0;
    List<int[]> orders = BufferVectors.orders();
    List<long[]> vectors = BufferVectors.ends();
    for (int vector = 0; vector < vectors.size(); vector++) {
      long[] ends = vectors.get(vector);
      for (long[] sizes :
          new long[][] {BufferVectors.frontSizes(ends), BufferVectors.backSizes(ends)}) {
        for (int order = 0; order < orders.size(); order++) {
          if (part < 0 || (vector + order) % PARTS == part) {
            runOnce(sizes, orders.get(order));
            runs++;
          }
        }
      }
    }
    return new Totals(
        runs,
        buffers.shrinker.counters().allocated(),
        buffers.shrinker.counters().reused(),
        Arrays.stream(runsByReclaimedPages).boxed().toList());
  }

  private void runOnce(long[] sizes, int[] order) {
    int extent = pagesUpTo(Arrays.stream(sizes).sum());
    long allocatedBefore = buffers.shrinker.counters().allocated();
    freeAll(allocateAll(sizes), order);
    expectPages(0, extent, PageState.AVAILABLE);
    expectPages(extent, BufferVectors.RANGE_PAGES, PageState.FREE);
    expect(buffers.shrinker.counters().allocated() - allocatedBefore == extent, "not all pages");

    long reusedBefore = buffers.shrinker.counters().reused();
    freeAll(allocateAll(sizes), order);
    expect(buffers.shrinker.counters().reused() - reusedBefore == extent, "not all reused");
    expect(buffers.shrinker.counters().allocated() - allocatedBefore == extent, "allocated twice");

    int reclaimed = 0;
    for (long count = buffers.shrinker.count(); count > 0; count = buffers.shrinker.count()) {
      reclaimed += Math.toIntExact(buffers.shrinker.scan(count).reclaimed());
    }
    expectPages(0, BufferVectors.RANGE_PAGES, PageState.FREE);
    runsByReclaimedPages[reclaimed]++;
  }

  private Buffer[] allocateAll(long[] sizes) {
    Buffer[] allocated = new Buffer[sizes.length];
    long end = 0;
    for (int i = 0; i < sizes.length; i++) {
      Buffer buffer = buffers.allocate(sizes[i]);
      expect(buffer.offset() == end, "not where the one before ends");
      end += sizes[i];
      expectPages(
          Math.toIntExact(buffer.offset() / BufferVectors.PAGE_BYTES),
          pagesUpTo(end),
          PageState.USED);
      buffers.allocator.checkInvariants();
      buffers.allocator.deliver(buffer);
      allocated[i] = buffer;
    }
    return allocated;
  }

  private void freeAll(Buffer[] allocated, int[] order) {
    for (int i : order) {
      buffers.free(allocated[i]);
      buffers.allocator.checkInvariants();
    }
  }

  private static int pagesUpTo(long end) {
    return Math.toIntExact((end - 1) / BufferVectors.PAGE_BYTES + 1);
  }

  private void expectPages(int start, int end, PageState expected) {
    PageState[] states = buffers.range.states(start, end);
    for (PageState state : states) {
      expect(state == expected, expected);
    }
  }

  private void expect(boolean holds, Object what) {
    if (!holds) {
      throw new AssertionError(what + ", in " + buffers.map() + " " + buffers.allocator.totals());
    }
  }
}
