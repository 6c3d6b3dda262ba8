package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A client may take the memory of its own pages under a copy: what the copy makes of the hole. */
final class RangeCopyTest {
  private static final int PAGES = 3;
  private static final int HOLE = 1;

  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 100);
  private final Shrinker shrinker =
      new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE, ReclaimConfig.NONE);
  private final int pageSize = PageFileMaker.MEMFD.pageSize();
  private final ShrinkablePageRange target = open(1, RangeMode.BUFFERS);

  @AfterEach
  void close() {
    target.close();
  }

  /** A range whose pages are all USED, and hold ones. */
  private ShrinkablePageRange open(long id, RangeMode mode) {
    long bytes = (long) PAGES * pageSize;
    ShrinkablePageRange range =
        ShrinkablePageRange.register(
            id, mode, bytes, new RangeConfig(PageFileMaker.MEMFD, bytes, 1), budget, shrinker);
    var _ = range.useRange(0, PAGES);
    byte[] ones = new byte[PAGES * pageSize];
    Arrays.fill(ones, (byte) 1);
    range.write(0, ByteBuffer.wrap(ones));
    return range;
  }

  private byte[] copied() {
    byte[] bytes = new byte[PAGES * pageSize];
    target.read(0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  @ParameterizedTest
  @EnumSource(RangeMode.class)
  void copy_holeInTheSource_isZerosAndNothingElseIs(RangeMode mode) throws Exception {
    try (ShrinkablePageRange source = open(2, mode)) {
      source.file().punch(HOLE, HOLE + 1);

      RangeCopy.copy(source, 0, target, 0, (long) PAGES * pageSize);

      byte[] expected = new byte[PAGES * pageSize];
      Arrays.fill(expected, (byte) 1);
      Arrays.fill(expected, HOLE * pageSize, (HOLE + 1) * pageSize, (byte) 0);
      assertThat(copied()).isEqualTo(expected);
    }
  }

  /** Its page may have been stopped and reclaimed meanwhile: memory there would be nobody's. */
  @Test
  void copy_holeInAPagesRange_gainsNoMemory() throws Exception {
    try (ShrinkablePageRange source = open(2, RangeMode.PAGES)) {
      source.file().punch(HOLE, HOLE + 1);
      long before = source.file().residentPages();

      RangeCopy.copy(source, 0, target, 0, (long) PAGES * pageSize);

      assertThat(source.file().residentPages()).isEqualTo(before);
    }
  }

  /** Nobody but the server stops its pages, so what it holds at the most is charged. */
  @Test
  void copy_holeInABuffersRange_holdsNoMoreThanIsCharged() throws Exception {
    try (ShrinkablePageRange source = open(2, RangeMode.BUFFERS)) {
      long charged = source.file().residentPages();
      source.file().punch(HOLE, HOLE + 1);

      RangeCopy.copy(source, 0, target, 0, (long) PAGES * pageSize);

      assertThat(source.file().residentPages()).isLessThanOrEqualTo(charged);
    }
  }
}
