package dev.pagetide.client;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * At what rate can 1 MiB be put into used pages and fetched from there again, beside plain copies
 * between two warm buffers of that size? At least 0.8 of it is wanted (a ratio of times of 1.25).
 *
 * <p>One round is use, write, stop, use, read, stop of 256 pages through the mapping, with the
 * server in another process; the baseline is two copies. The two take turns, so that whatever else
 * the machine does hits both. Sketch: a copy of 1 MiB takes 40 us, use and stop of 256 warm pages 5
 * us.
 */
public final class MappedCopyComparison {
  private static final int SIZE_BYTES = 1 << 20;
  private static final int WARM_UP_ROUNDS = 5_000;
  private static final int ROUNDS = 2_000;

  private MappedCopyComparison() {}

  /** Compares. */
  public static void main(String[] arguments) throws IOException {
    ClientOptions options = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client = PagetideClient.connect(server.directory(), options);
        PageRange range = client.open(OpenOptions.ofSize(SIZE_BYTES))) {
      MemorySegment source = Arena.global().allocate(SIZE_BYTES, 64).fill((byte) 1);
      MemorySegment middle = Arena.global().allocate(SIZE_BYTES, 64).fill((byte) 2);
      MemorySegment target = Arena.global().allocate(SIZE_BYTES, 64).fill((byte) 3);
      range.useRange(0, range.pageCount());
      range.stopUsingRange(0, range.pageCount());
      long[] mapped = new long[ROUNDS];
      long[] plain = new long[ROUNDS];
      for (int round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
        int slot = Math.max(0, round);
        mapped[slot] = throughPages(range, source, target);
        plain[slot] = plainly(source, middle, target);
      }
      report(mapped, plain);
    }
  }

  private static long throughPages(PageRange range, MemorySegment source, MemorySegment target) {
    long start = System.nanoTime();
    try (UsedPages pages = range.use(0, range.pageCount())) {
      pages.segment().copyFrom(source);
    }
    try (UsedPages pages = range.use(0, range.pageCount())) {
      if (!pages.fresh().isEmpty()) {
        throw new IllegalStateException("nobody scans, and pages are gone: " + pages.fresh());
      }
      target.copyFrom(pages.segment());
    }
    return System.nanoTime() - start;
  }

  private static long plainly(MemorySegment source, MemorySegment middle, MemorySegment target) {
    long start = System.nanoTime();
    middle.copyFrom(source);
    target.copyFrom(middle);
    return System.nanoTime() - start;
  }

  private static void report(long[] mapped, long[] plain) {
    double through = median(mapped);
    double bare = median(plain);
    System.out.printf(
        "use, write, stop, use, read, stop of 1 MiB: %.1f us, two plain copies %.1f us, ratio %.2f"
            + " (wanted: at most 1.25)%n",
        through / 1e3, bare / 1e3, through / bare);
  }

  private static double median(long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
