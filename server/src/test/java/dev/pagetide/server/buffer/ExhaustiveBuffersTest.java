package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Pages and buffers in every way in which five buffers can lie on pages and be freed: Binder's own
 * test of its allocator, with its totals.
 */
@Promise({33, 34})
final class ExhaustiveBuffersTest {
  /** Runs that reclaim 1 to 11 pages, of all those from the front. */
  private static final List<Long> FRONT_RUNS =
      List.of(
          240L, 2_160L, 9_720L, 27_840L, 55_680L, 80_640L, 85_440L, 65_280L, 34_560L, 11_520L,
          1_920L);

  private static final ExhaustiveBuffers.Totals ALL =
      new ExhaustiveBuffers.Totals(750_000, 14_475_000, 14_475_000, reclaimed(FRONT_RUNS, 375_000));

  private static final PageFileMaker COUNTING =
      new PageFileMaker() {
        @Override
        public PageFile make(String name, SharedFileLayout layout) {
          return CountingFile.make(name, layout);
        }

        @Override
        public int pageSize() {
          return BufferVectors.PAGE_BYTES;
        }
      };

  private static List<Long> reclaimed(List<Long> front, long back) {
    List<Long> runs = new ArrayList<>(Collections.nCopies(BufferVectors.RANGE_PAGES + 1, 0L));
    for (int i = 0; i < front.size(); i++) {
      runs.set(i + 1, front.get(i));
    }
    runs.set(BufferVectors.RANGE_PAGES, back);
    return List.copyOf(runs);
  }

  /** What runs must come to in which every vector is used so often from either end. */
  private static ExhaustiveBuffers.Totals expected(int runsOfVector) {
    List<Long> runs = new ArrayList<>(Collections.nCopies(BufferVectors.RANGE_PAGES + 1, 0L));
    long count = 0;
    long pages = 0;
    for (long[] ends : BufferVectors.ends()) {
      long last = ends[BufferVectors.BUFFERS - 1];
      int frontPages =
          Math.toIntExact((last + BufferVectors.PAGE_BYTES - 1) / BufferVectors.PAGE_BYTES);
      for (int extent : new int[] {frontPages, BufferVectors.RANGE_PAGES}) {
        runs.set(extent, runs.get(extent) + runsOfVector);
        count += runsOfVector;
        pages += (long) runsOfVector * extent;
      }
    }
    return new ExhaustiveBuffers.Totals(count, pages, pages, runs);
  }

  @Test
  void vectors_ofAllBuffers_areThoseOfBinder() {
    List<long[]> ends = BufferVectors.ends();

    assertThat(ends).hasSize(3_125);
    assertThat(ends.getFirst()).containsExactly(512, 1024, 1536, 2048, 2560);
    assertThat(ends.getLast()).containsExactly(8704, 16896, 25088, 33280, 41472);
    assertThat(BufferVectors.frontSizes(ends.getLast()))
        .containsExactly(8704, 8192, 8192, 8192, 8192);
    assertThat(BufferVectors.backSizes(ends.getFirst()))
        .containsExactly(512 + 131_072 - 2560, 512, 512, 512, 512);
    assertThat(BufferVectors.orders()).hasSize(120).doesNotHaveDuplicates();
    assertThat(expected(120)).isEqualTo(ALL);
  }

  @Tag(Requires.TAG)
  @Test
  void fiveBuffers_aTenthOnMemfds_leavePagesAsTheyShould() {
    Requires.ofKernel(
        Memfd.systemPageSize() == BufferVectors.PAGE_BYTES,
        "pages of " + BufferVectors.PAGE_BYTES + " bytes");
    try (TestBuffers buffers = TestBuffers.ofPages(BufferVectors.RANGE_PAGES)) {
      assertThat(new ExhaustiveBuffers(buffers).runPart(0)).isEqualTo(expected(12));
      buffers.checkInvariants();
    }
  }

  @Test
  void fiveBuffers_anotherTenthCounted_leavePagesAsTheyShould() {
    try (TestBuffers buffers = TestBuffers.ofPages(BufferVectors.RANGE_PAGES, COUNTING)) {
      assertThat(new ExhaustiveBuffers(buffers).runPart(1)).isEqualTo(expected(12));
      buffers.checkInvariants();
    }
  }

  @Tag("long")
  @Test
  void fiveBuffers_allRunsCounted_leavePagesAsTheyShould() {
    try (TestBuffers buffers = TestBuffers.ofPages(BufferVectors.RANGE_PAGES, COUNTING)) {
      assertThat(new ExhaustiveBuffers(buffers).runAll()).isEqualTo(ALL);
      buffers.checkInvariants();
    }
  }
}
