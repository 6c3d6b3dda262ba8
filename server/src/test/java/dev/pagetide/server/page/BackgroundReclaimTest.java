package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;

/**
 * Reclaim ahead of need: begins above the high watermark, ends at the low one, takes no USED page.
 */
final class BackgroundReclaimTest {
  private static final int LOW = 100;
  private static final int HIGH = 200;

  private final LinkedBlockingQueue<ScanResult> scans = new LinkedBlockingQueue<>();
  private final List<Throwable> bugs = new CopyOnWriteArrayList<>();

  /** What the scans of the background tell. */
  private final PageObserver observer =
      new PageObserver() {
        @Override
        public void scanned(ReclaimTrigger trigger, ScanResult result, long nanos) {
          assertThat(trigger).isEqualTo(ReclaimTrigger.WATERMARK);
          scans.add(result);
        }
      };

  private TestRanges ranges() {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        PageFileMaker.MEMFD,
        observer,
        new ReclaimConfig(LOW, HIGH, 0, HostHeadroom.NONE));
  }

  @Test
  void charge_aboveHigh_isBroughtToLowOldestFirst() {
    try (TestRanges ranges = ranges();
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      ShrinkablePageRange range = ranges.openSession(256);
      range.useRange(0, HIGH - 2); // with header and table at the mark
      range.stopUsingRange(100, 198);
      range.stopUsingRange(0, 50);

      range.useRange(200, 201);
      await().until(() -> ranges.budget.chargedPages() == LOW);

      // 101 pages go: the 98 that were stopped first, then the highest three of the others.
      assertThat(TestRanges.map(range))
          .isEqualTo(
              "A".repeat(47)
                  + "F".repeat(3)
                  + "U".repeat(50)
                  + "F".repeat(100)
                  + "U"
                  + "F".repeat(55));
      assertThat(ranges.shrinker.counters().reclaimed(ReclaimTrigger.WATERMARK)).isEqualTo(101);
      assertThat(bugs).isEmpty();
      ranges.checkInvariants();
    }
  }

  @Test
  void charge_atHigh_isLeftAlone() {
    TestRanges ranges = ranges();
    try (BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      ShrinkablePageRange range = ranges.openSession(256);
      range.useRange(0, HIGH - 2);
      range.stopUsingRange(0, HIGH - 2);
    } // which waits for what was begun

    assertThat(scans).isEmpty();
    assertThat(ranges.budget.chargedPages()).isEqualTo(HIGH);
    ranges.close();
  }

  @Test
  void charge_aboveHighInUse_isTakenOnceItIsStopped() throws InterruptedException {
    try (TestRanges ranges = ranges();
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      ShrinkablePageRange range = ranges.openSession(256);
      range.useRange(0, 256);
      List<ScanResult> fruitless = new ArrayList<>(List.of(scans.take(), scans.take()));
      assertThat(fruitless).allSatisfy(scan -> assertThat(scan.reclaimed()).isZero());
      assertThat(range.counts().used()).isEqualTo(256);

      range.stopUsingRange(0, 256); // nobody tells the thread

      await().until(() -> ranges.budget.chargedPages() == LOW);
      ranges.checkInvariants();
    }
  }

  /** 1000 pages, of which each uid may have 200: its marks are then 100 and 150. */
  private TestRanges rangesOfUids(long protectNanos) {
    return new TestRanges(
        1000,
        PageClock.MONOTONIC,
        PageFileMaker.MEMFD,
        observer,
        new ReclaimConfig(500, 750, protectNanos, HostHeadroom.NONE));
  }

  private static ShrinkablePageRange openAsUid(TestRanges ranges) {
    PageBudget uid = ranges.budget.sharedChild("--max-resident-bytes-per-uid", 200);
    return ranges.open(256, uid.child("--max-resident-bytes-per-session", 200));
  }

  @Test
  void charge_ofOneUidAboveItsHigh_isBroughtToItsLowAndNobodyElsePays() {
    try (TestRanges ranges = rangesOfUids(0);
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      ShrinkablePageRange other = openAsUid(ranges);
      other.useRange(0, 148); // with header and table at the mark
      other.stopUsingRange(0, 148);
      ShrinkablePageRange range = openAsUid(ranges);
      range.useRange(0, 148);
      range.stopUsingRange(0, 148);
      assertThat(scans).isEmpty();

      range.useRange(200, 201);
      await().until(() -> range.budget().chargedPages() == 100);

      assertThat(range.counts()).isEqualTo(new PageCounts(256 - 98, 97, 1, 0));
      assertThat(other.counts().available()).isEqualTo(148);
      assertThat(ranges.shrinker.counters().reclaimed(ReclaimTrigger.WATERMARK)).isEqualTo(51);
      assertThat(bugs).isEmpty();
      ranges.checkInvariants();
    }
  }

  @Test
  void charge_ofOneUidAboveItsHigh_sparesWhatWasStoppedLately() {
    try (TestRanges ranges = rangesOfUids(Long.MAX_VALUE / 2);
        BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      ShrinkablePageRange range = openAsUid(ranges);
      range.useRange(0, 148);
      range.stopUsingRange(0, 148);

      range.useRange(200, 201);

      await().until(() -> !scans.isEmpty());
      assertThat(scans).allSatisfy(scan -> assertThat(scan.reclaimed()).isZero());
      assertThat(range.counts().available()).isEqualTo(148);
      assertThat(bugs).isEmpty();
      ranges.checkInvariants();
    }
  }

  @Test
  void refaults_pagesUsedAgain_areCountedByAge() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.openSession(16);
      PageCounters counters = ranges.shrinker.counters();
      range.useRange(0, 8);
      range.stopUsingRange(0, 8);
      assertThat(ranges.shrinker.scan(4).reclaimed()).isEqualTo(4);

      range.useRange(0, 12); // four are used again, four are new

      long refaults = 0;
      for (RefaultAge age : RefaultAge.values()) {
        refaults += counters.refaulted(age);
      }
      assertThat(refaults).isEqualTo(4);
      assertThat(counters.refaulted(RefaultAge.LATER)).isZero();
      assertThat(RefaultAge.of(-1)).isEqualTo(RefaultAge.WITHIN_100MS);
      assertThat(RefaultAge.of(100_000_000)).isEqualTo(RefaultAge.WITHIN_1S);
      assertThat(RefaultAge.of(Long.MAX_VALUE)).isEqualTo(RefaultAge.LATER);
    }
  }
}
