package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.PageWord;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** How long a look says that pages have been USED: never less than is so. */
final class UsedAgesTest {
  /** A clock may begin anywhere, below zero too. */
  private final AtomicLong now = new AtomicLong(-1_000);

  private TestRanges ranges() {
    return new TestRanges(TestRanges.UNLIMITED_PAGES, now::get, PageFileMaker.MEMFD);
  }

  @Test
  void look_noPageUsed_hasNoAge() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      assertThat(range.look().oldestUsedNanos()).isEmpty();

      range.useRange(0, 4);
      range.stopUsingRange(0, 4);
      now.addAndGet(100);

      assertThat(range.look())
          .isEqualTo(new RangeLook(new PageCounts(4, 4, 0, 0), OptionalLong.empty()));
    }
  }

  @Test
  void look_pagesUsedSinceTheirMemory_isTheAgeOfTheOldest() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(2_000);
      range.useRange(1_500, 1_501);
      now.addAndGet(100);
      range.useRange(0, 4);
      now.addAndGet(10);

      assertThat(range.look().oldestUsedNanos()).hasValue(110);
      range.stopUsingRange(1_500, 1_501);
      assertThat(range.look().oldestUsedNanos()).hasValue(10);
      assertThat(range.look().counts()).isEqualTo(range.counts());
    }
  }

  @Test
  void look_usedAgainWithoutALookBetween_isTheBound() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 1);
      now.addAndGet(100);
      range.stopUsingRange(0, 1);
      range.useRange(0, 1);

      assertThat(range.look().oldestUsedNanos()).hasValue(100);
    }
  }

  @Test
  void look_foundAvailableByALook_beginsAnew() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 1);
      now.addAndGet(100);
      range.stopUsingRange(0, 1);
      assertThat(range.look().oldestUsedNanos()).isEmpty();
      now.addAndGet(20);
      range.useRange(0, 1);
      now.addAndGet(3);

      assertThat(range.look().oldestUsedNanos()).hasValue(23);
    }
  }

  @Test
  void look_reclaimedAndGivenMemoryAgain_beginsAnew() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 1);
      now.addAndGet(100);
      range.stopUsingRange(0, 1);
      assertThat(ranges.shrinker.scan(1).reclaimed()).isEqualTo(1);
      assertThat(range.look().oldestUsedNanos()).isEmpty();
      range.useRange(0, 1);
      now.addAndGet(5);

      assertThat(range.look().oldestUsedNanos()).hasValue(5);
    }
  }

  @Test
  void look_wordThatNoClientMayWrite_isAContradictionWithoutAge() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 1);
      now.addAndGet(100);
      assertThat(range.table().casWord(0, PageWord.USED_WORD, 3)).isTrue();

      assertThat(range.look())
          .isEqualTo(new RangeLook(new PageCounts(7, 0, 1, 1), OptionalLong.empty()));
    }
  }

  @Test
  void look_closedRange_isEmpty() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 1);
      range.close();

      assertThat(range.look())
          .isEqualTo(new RangeLook(new PageCounts(0, 0, 0, 0), OptionalLong.empty()));
    }
  }
}
