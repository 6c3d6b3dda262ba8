package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What observers hear of the runs that scans punch. */
final class PunchRunsTest {
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final List<Integer> runs = new ArrayList<>();
  private final List<Integer> punched = new ArrayList<>();
  private final PageObserver observer =
      new PageObserver() {
        @Override
        public void punchedRun(int pages) {
          runs.add(pages);
        }

        @Override
        public void punched(int pages, long nanos) {
          punched.add(pages);
        }
      };

  private TestRanges ranges() {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script),
        observer,
        ReclaimConfig.NONE);
  }

  @Test
  void scan_scatteredPages_tellsEachRun() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(600);
      range.useRange(0, 600);
      range.stopUsingRange(0, 1);
      range.stopUsingRange(10, 15);
      range.stopUsingRange(100, 600);

      assertThat(ranges.shrinker.scan(600).reclaimed()).isEqualTo(506);

      // Of at most 256 pages a hold: the last run is cut where holds end.
      assertThat(runs).containsExactly(1, 5, 250, 250);
      assertThat(punched).containsExactly(256, 250);
      ranges.checkInvariants();
    }
  }

  @Test
  void scan_onePunchFails_tellsTheOtherRunsAlone() {
    try (TestRanges ranges = ranges()) {
      ShrinkablePageRange range = ranges.open(32);
      range.useRange(0, 32);
      range.stopUsingRange(0, 2);
      range.stopUsingRange(4, 8);
      range.stopUsingRange(10, 18);
      script.failFrom(2, 2, FailingPageFile.Call.PUNCH);

      ScanResult result = ranges.shrinker.scan(32);

      assertThat(result.reclaimed()).isEqualTo(10);
      assertThat(result.skipped()).isEqualTo(Map.of(SkipReason.PUNCH_FAILED, 4L));
      assertThat(runs).containsExactly(2, 8);
      assertThat(TestRanges.map(range)).isEqualTo("FFUUAAAAUU" + "F".repeat(8) + "U".repeat(14));
      script.failNone();
      ranges.checkInvariants();
    }
  }
}
