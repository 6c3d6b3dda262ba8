package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageState;
import dev.pagetide.testkit.Promise;
import java.nio.ByteBuffer;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The messages of refused copies, and the use that never allocates: in each of the three states.
 */
@Promise(15)
final class PageMapTest {
  private static final int PAGE = 3;
  private static final int LOOKS = 200_000;

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

  /**
   * Would show a count that looks twice at a word and takes what changed in between for what no
   * client may write. FORBIDDEN: a contradiction.
   */
  @Test
  void counts_whilePagesAreStoppedAndUsed_findNoContradiction() throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    try (TestRanges ranges = TestRanges.unlimited();
        ExecutorService client = Executors.newSingleThreadExecutor()) {
      ShrinkablePageRange range = ranges.open(64);
      range.useRange(0, 64);
      Future<?> flipping =
          client.submit(() -> {
            while (!over.get()) {
              range.stopUsingRange(0, 64);
              range.useRange(0, 64);
            }
          });
      try {
        for (int look = 0; look < LOOKS; look++) {
          PageCounts counts = range.counts();

          assertThat(counts.contradictions()).isZero();
          assertThat(counts.free()).isZero();
          assertThat(counts.available() + counts.used()).isEqualTo(64);
        }
      } finally {
        over.set(true);
      }
      flipping.get();
      ranges.checkInvariants();
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
