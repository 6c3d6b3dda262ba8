package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.PageState;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** A range's states as runs: right page by page, and as little heap as there are runs. */
final class StateRunsTest {
  private static final int ALL = Integer.MAX_VALUE;
  private static final int LARGE = 1 << 20;
  private static final long LARGE_TERMS_BYTES = 1L << 40;
  private static final int WALKS = 4;

  private static PageSpans whole(ShrinkablePageRange range) {
    return PageSpans.of(0, range.pageCount());
  }

  private static List<PageState> pageByPage(StateRuns runs) {
    List<PageState> states = new ArrayList<>();
    for (int run = 0; run < runs.size(); run++) {
      assertThat(runs.startPage(run)).isLessThan(runs.endPage(run));
      for (int page = runs.startPage(run); page < runs.endPage(run); page++) {
        states.add(runs.state(run));
      }
      assertThat(run > 0 && runs.state(run) == runs.state(run - 1)).as("run " + run).isFalse();
    }
    return states;
  }

  @Test
  void of_pagesInAnyStates_tellsEachAndTheirNumbers() {
    long seed = System.nanoTime();
    System.out.println("StateRunsTest seed " + seed);
    Random random = new Random(seed);
    for (int pages : new int[] {1, 63, 64, 65, 300}) {
      try (TestRanges ranges = TestRanges.unlimited()) {
        ShrinkablePageRange range = ranges.open(pages);
        for (int change = 0; change < 60; change++) {
          int start = random.nextInt(pages);
          int end = start + 1 + random.nextInt(Math.min(70, pages - start));
          if (random.nextBoolean()) {
            range.useRange(start, end);
          } else {
            range.stopUsingRange(start, end);
          }
          int from = random.nextInt(pages);
          int to = from + 1 + random.nextInt(pages - from);

          StateRuns all = StateRuns.of(range, whole(range), ALL);
          StateRuns some = StateRuns.of(range, PageSpans.of(from, to), ALL);

          assertThat(pageByPage(all)).containsExactly(range.states(0, pages));
          assertThat(pageByPage(some)).containsExactly(range.states(from, to));
          for (PageState state : PageState.values()) {
            int count = (int) pageByPage(all).stream().filter(state::equals).count();
            assertThat(all.count(state)).isEqualTo(count);
            assertThat(some.count(state)).as("of the whole range").isEqualTo(count);
          }
        }
      }
    }
  }

  @Test
  void of_moreRunsThanMayBeTold_endsEarlyAndGoesOnFromThere() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(256);
      for (int page = 0; page < 256; page += 2) {
        range.useRange(page, page + 1);
      }

      StateRuns first = StateRuns.of(range, whole(range), 100);
      StateRuns rest = StateRuns.of(range, PageSpans.of(100, 256), ALL);

      assertThat(first.size()).isEqualTo(100);
      assertThat(first.endPage(99)).isEqualTo(100);
      assertThat(first.count(PageState.USED)).isEqualTo(128);
      assertThat(first.count(PageState.FREE)).isEqualTo(128);
      assertThat(rest.startPage(0)).isEqualTo(100);
      assertThat(rest.size()).isEqualTo(156);
    }
  }

  @Test
  void of_noPage_tellsNumbersAndNoRun() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(2, 5);

      StateRuns runs = StateRuns.of(range, PageSpans.NONE, ALL);

      assertThat(runs.size()).isZero();
      assertThat(runs.count(PageState.USED)).isEqualTo(3);
      assertThat(runs.count(PageState.FREE)).isEqualTo(5);
    }
  }

  @Test
  void of_closedRange_isRefused() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      PageSpans pages = whole(range);
      range.close();

      assertThatThrownBy(() -> StateRuns.of(range, pages, ALL))
          .isInstanceOf(PageFailure.Closed.class);
    }
  }

  /** Would show heap that grows with the range: an array of its pages is 4 MiB. */
  @Test
  void of_largeRange_takesHeapForItsRunsOnly() {
    PageBudget budget = PageBudget.root("--max-resident-bytes", TestRanges.UNLIMITED_PAGES);
    Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
    RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, LARGE_TERMS_BYTES, 1);
    long bytes = (long) LARGE * PageFileMaker.MEMFD.pageSize();
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (ShrinkablePageRange range =
        ShrinkablePageRange.register(1, RangeMode.PAGES, bytes, config, budget, shrinker)) {
      range.useRange(LARGE - 3, LARGE);
      long most = 0;
      for (int walk = 0; walk < WALKS; walk++) {
        long before = threads.getCurrentThreadAllocatedBytes();

        StateRuns runs = StateRuns.of(range, whole(range), ALL);

        most = Math.max(most, threads.getCurrentThreadAllocatedBytes() - before);
        assertThat(runs.size()).isEqualTo(2);
        assertThat(runs.count(PageState.FREE)).isEqualTo(LARGE - 3);
      }
      assertThat(most).isLessThan(64 * 1024);
    }
  }
}
