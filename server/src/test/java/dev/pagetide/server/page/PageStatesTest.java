package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageState;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Promises 3 to 5, 9, 13 and 15: three states times everything that can be done to a page. */
final class PageStatesTest {
  private static final int PAGE = 3;

  private static ShrinkablePageRange openIn(TestRanges ranges, PageState state) {
    ShrinkablePageRange range = ranges.open(8);
    if (state != PageState.FREE) {
      range.useRange(PAGE, PAGE + 1);
      Pages.fill(range, PAGE, PAGE + 1, 7);
    }
    if (state == PageState.AVAILABLE) {
      range.stopUsingRange(PAGE, PAGE + 1);
    }
    assertThat(stateOf(range)).isEqualTo(state);
    return range;
  }

  private static PageState stateOf(ShrinkablePageRange range) {
    return range.states(PAGE, PAGE + 1)[0];
  }

  private static void checkOthersFree(TestRanges ranges, ShrinkablePageRange range) {
    for (int page = 0; page < range.pageCount(); page++) {
      if (page != PAGE) {
        assertThat(range.states(page, page + 1)).containsExactly(PageState.FREE);
      }
    }
    ranges.checkInvariants();
  }

  @ParameterizedTest
  @EnumSource
  void useRange_pageInEachState_makesItUsed(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      long allocated = ranges.shrinker.counters().allocated();

      PageSpans fresh = range.useRange(PAGE, PAGE + 1);

      assertThat(stateOf(range)).isEqualTo(PageState.USED);
      boolean wasFree = before == PageState.FREE;
      assertThat(fresh).isEqualTo(wasFree ? PageSpans.of(PAGE, PAGE + 1) : PageSpans.NONE);
      assertThat(Pages.bytes(range, PAGE, PAGE + 1)).containsOnly(wasFree ? 0 : 7);
      assertThat(ranges.shrinker.counters().allocated() - allocated).isEqualTo(wasFree ? 1 : 0);
      assertThat(ranges.shrinker.counters().reused())
          .isEqualTo(before == PageState.AVAILABLE ? 1 : 0);
      checkOthersFree(ranges, range);
    }
  }

  @ParameterizedTest
  @EnumSource
  void tryUseRange_pageInEachState_neverAllocates(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);

      boolean used = range.tryUseRange(PAGE, PAGE + 1);

      assertThat(used).isEqualTo(before != PageState.FREE);
      assertThat(stateOf(range)).isEqualTo(used ? PageState.USED : PageState.FREE);
      checkOthersFree(ranges, range);
    }
  }

  @ParameterizedTest
  @EnumSource
  void stopUsingRange_pageInEachState_makesUsedAvailableAndElseNothing(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      long word = range.table().wordAcquire(PAGE);

      range.stopUsingRange(PAGE, PAGE + 1);

      assertThat(stateOf(range))
          .isEqualTo(before == PageState.FREE ? PageState.FREE : PageState.AVAILABLE);
      if (before != PageState.USED) {
        assertThat(range.table().wordAcquire(PAGE)).isEqualTo(word);
      }
      assertThat(ranges.shrinker.counters().stopped()).isEqualTo(before == PageState.FREE ? 0 : 1);
      checkOthersFree(ranges, range);
    }
  }

  @ParameterizedTest
  @EnumSource
  void read_pageInEachState_copiesUsedBytesAndElseNothing(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      ByteBuffer target = ByteBuffer.wrap(new byte[] {1, 2, 3});
      long offset = (long) PAGE * range.pageSize() + 5;

      if (before == PageState.USED) {
        range.read(offset, target);
        assertThat(target.array()).containsExactly(7, 7, 7);
      } else {
        assertRefused(() -> range.read(offset, target), before, "Read");
        assertThat(target.array()).containsExactly(1, 2, 3);
        assertThat(target.remaining()).isEqualTo(3);
      }

      assertThat(stateOf(range)).isEqualTo(before);
      checkOthersFree(ranges, range);
    }
  }

  @ParameterizedTest
  @EnumSource
  void write_pageInEachState_writesUsedBytesAndElseNothing(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      ByteBuffer source = ByteBuffer.wrap(new byte[] {1, 2, 3});
      long offset = (long) PAGE * range.pageSize() + 5;

      if (before == PageState.USED) {
        range.write(offset, source);
        assertThat(Pages.bytesAt(range, offset - 1, 5)).containsExactly(7, 1, 2, 3, 7);
      } else {
        assertRefused(() -> range.write(offset, source), before, "Write");
        assertThat(source.remaining()).isEqualTo(3);
        checkUntouched(range, before);
      }
      ranges.checkInvariants();
    }
  }

  @ParameterizedTest
  @EnumSource
  void fillZero_pageInEachState_zeroesUsedBytesAndElseNothing(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      long offset = (long) PAGE * range.pageSize() + 5;

      if (before == PageState.USED) {
        range.fillZero(offset, 3);
        assertThat(Pages.bytesAt(range, offset - 1, 5)).containsExactly(7, 0, 0, 0, 7);
        assertThat(stateOf(range)).isEqualTo(PageState.USED);
      } else {
        assertRefused(() -> range.fillZero(offset, 3), before, "FillZero");
        checkUntouched(range, before);
      }
      ranges.checkInvariants();
    }
  }

  @ParameterizedTest
  @EnumSource
  void scan_pageInEachState_takesItIfAvailable(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);
      boolean available = before == PageState.AVAILABLE;
      assertThat(ranges.shrinker.count()).isEqualTo(available ? 1 : 0);

      ScanResult result = ranges.shrinker.scan(10);

      assertThat(result.reclaimed()).isEqualTo(available ? 1 : 0);
      assertThat(result.scanned()).isEqualTo(available ? 1 : 0);
      assertThat(stateOf(range)).isEqualTo(available ? PageState.FREE : before);
      if (before == PageState.USED) {
        assertThat(Pages.bytes(range, PAGE, PAGE + 1)).containsOnly(7);
      }
      checkOthersFree(ranges, range);
    }
  }

  @ParameterizedTest
  @EnumSource
  void close_pageInEachState_givesItsMemoryBack(PageState before) {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = openIn(ranges, before);

      range.close();

      assertThat(ranges.budget.chargedPages()).isZero();
      assertThat(ranges.shrinker.counters().closed()).isEqualTo(before == PageState.FREE ? 0 : 1);
      assertThat(ranges.shrinker.count()).isZero();
      assertThatThrownBy(() -> range.useRange(PAGE, PAGE + 1))
          .isInstanceOf(PageFailure.Closed.class);
    }
  }

  @Test
  void useRange_spansOverAllStates_makesAllUsedAndTellsTheFresh() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(12);
      range.useRange(0, 6);
      Pages.fill(range, 0, 6, 7);
      range.stopUsingRange(2, 4);
      assertThat(TestRanges.map(range)).isEqualTo("UUAAUUFFFFFF");

      PageSpans fresh = range.useRange(range.spans().add(1, 8).add(10, 11).build());

      assertThat(fresh).hasToString("{[6, 8), [10, 11)}");
      assertThat(TestRanges.map(range)).isEqualTo("UUUUUUUUFFUF");
      assertThat(Pages.bytes(range, 0, 6)).containsOnly(7);
      assertThat(Pages.bytes(range, 6, 8)).containsOnly(0);
      ranges.checkInvariants();
    }
  }

  @Test
  void stopUsingRange_spansOverAllStates_stopsTheUsedWithOneStamp() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 6);
      range.stopUsingRange(2, 4);
      long earlier = range.table().wordAcquire(2);

      range.stopUsingRange(range.spans().add(1, 3).add(5, 8).build());

      assertThat(TestRanges.map(range)).isEqualTo("UAAAUAFF");
      assertThat(range.table().wordAcquire(2)).isEqualTo(earlier);
      assertThat(range.table().wordAcquire(1)).isEqualTo(range.table().wordAcquire(5));
      assertThat(range.table().wordAcquire(6)).isZero();
      ranges.checkInvariants();
    }
  }

  private static void checkUntouched(ShrinkablePageRange range, PageState before) {
    assertThat(stateOf(range)).isEqualTo(before);
    assertThat(range.pages().strays()).isZero();
    range.useRange(PAGE, PAGE + 1);
    assertThat(Pages.bytes(range, PAGE, PAGE + 1)).containsOnly(before == PageState.FREE ? 0 : 7);
  }

  private static void assertRefused(Runnable copy, PageState state, String verb) {
    assertThatThrownBy(copy::run)
        .isInstanceOf(PageFailure.NotUsed.class)
        .hasMessageStartingWith("page 3 is " + state + ", not USED: ")
        .hasMessageEndingWith("; call UseRange(3, 4) before " + verb);
  }
}
