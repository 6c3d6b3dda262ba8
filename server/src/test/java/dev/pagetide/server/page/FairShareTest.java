package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.PageWord;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Who pays while the budget is short: whoever holds more than the budget divided by the ranges
 * there are, down to that share; and for what lies above a share, nothing that others stopped
 * lately.
 *
 * <p>Three ranges share 120 pages, 40 each; two pages of each are its header and table.
 */
final class FairShareTest {
  private static final long BUDGET_PAGES = 120;
  private static final int SHARE = 40 - 2;
  private static final int RANGE_PAGES = 100;
  private static final long PROTECT_NANOS = 1_000_000;

  /** Ticks at each look; far less than {@link #PROTECT_NANOS} passes by itself. */
  private final AtomicLong time = new AtomicLong(10 * PROTECT_NANOS);

  private final TestRanges ranges =
      new TestRanges(
          BUDGET_PAGES,
          time::incrementAndGet,
          PageFileMaker.MEMFD,
          PageObserver.NONE,
          new ReclaimConfig(Long.MAX_VALUE, Long.MAX_VALUE, PROTECT_NANOS, HostHeadroom.NONE));
  private final ShrinkablePageRange a = ranges.openSession(RANGE_PAGES);
  private final ShrinkablePageRange b = ranges.openSession(RANGE_PAGES);
  private final ShrinkablePageRange c = ranges.openSession(RANGE_PAGES);

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  /** Uses the first pages of a range and stops them. */
  private static void fillIdle(ShrinkablePageRange range, int pages) {
    range.useRange(0, pages);
    range.stopUsingRange(0, pages);
  }

  private void protectionEnds() {
    time.addAndGet(PROTECT_NANOS);
  }

  private void hold(int inA, int inB, int inC) {
    assertThat(a.pages().count()).as("pages of a").isEqualTo(inA);
    assertThat(b.pages().count()).as("pages of b").isEqualTo(inB);
    assertThat(c.pages().count()).as("pages of c").isEqualTo(inC);
  }

  private static void refused(ShrinkablePageRange range, int startPage, int endPage) {
    assertThatThrownBy(() -> range.useRange(startPage, endPage))
        .isInstanceOf(PageFailure.NoMemory.class);
  }

  private static void refusedToSpareOthers(ShrinkablePageRange range, int startPage, int endPage) {
    assertThatThrownBy(() -> range.useRange(startPage, endPage))
        .isInstanceOf(PageFailure.NoMemory.class)
        .hasMessageContaining("beyond a range's fair share of 40 pages")
        .hasMessageContaining("--protect-recent");
  }

  @Test
  void useRange_oneHoldsMoreThanItsShare_thatOnePaysThoughItsPagesAreYounger() {
    fillIdle(a, 30);
    protectionEnds();
    fillIdle(b, 60);

    c.useRange(0, 30);

    hold(30, 54, 30);
    assertThat(TestRanges.map(b)).startsWith("A".repeat(54) + "F");
  }

  @Test
  void useRange_needsAllThatOneHoldsAboveItsShare_takesThatAndNoMore() {
    fillIdle(a, SHARE);
    protectionEnds();
    fillIdle(b, 2 * SHARE);

    c.useRange(0, SHARE);

    hold(SHARE, SHARE, SHARE);
  }

  @Test
  void useRange_twoHoldMoreThanTheirShares_takesTheOldestOfBothInTurn() {
    a.useRange(0, 57);
    b.useRange(0, 57);
    for (int page = 0; page < 57; page++) {
      a.stopUsingRange(page, page + 1);
      b.stopUsingRange(page, page + 1);
    }

    c.useRange(0, 20);

    String tenOldestGone = "F".repeat(10) + "A".repeat(47) + "F".repeat(43);
    assertThat(TestRanges.map(a)).isEqualTo(tenOldestGone);
    assertThat(TestRanges.map(b)).isEqualTo(tenOldestGone);
    hold(47, 47, 20);
  }

  @Test
  void useRange_twoHoldMoreAndOneComesDownToItsShare_theOtherPaysTheRest() {
    fillIdle(a, SHARE + 5);
    fillIdle(b, 2 * SHARE - 5);

    c.useRange(0, 30);

    hold(SHARE, 2 * SHARE - 30, 30); // five of the oldest, then the younger ones
  }

  @Test
  void useRange_allAtTheirShares_sparesWhatOthersStoppedLately() {
    fillIdle(a, SHARE);
    fillIdle(b, SHARE);
    c.useRange(0, SHARE);

    refusedToSpareOthers(c, SHARE, SHARE + 1);

    hold(SHARE, SHARE, SHARE);
  }

  @Test
  void useRange_allAtTheirShares_takesTheOldestOnceProtectionHasEnded() {
    fillIdle(b, SHARE);
    fillIdle(a, SHARE);
    c.useRange(0, SHARE);
    protectionEnds();

    c.useRange(SHARE, SHARE + 1);

    hold(SHARE, SHARE - 1, SHARE + 1);
  }

  @Test
  void useRange_beyondItsShare_takesTheOldAndLeavesTheYoung() {
    fillIdle(a, 3);
    protectionEnds();
    a.useRange(3, 20);
    a.stopUsingRange(3, 20);
    c.useRange(0, 94);

    refusedToSpareOthers(c, 94, 98);

    hold(17, 0, 94);
    assertThat(TestRanges.map(a)).startsWith("FFF" + "A".repeat(17));
    c.useRange(94, 97); // what was old is free now
    hold(17, 0, 97);
  }

  @Test
  void useRange_beyondItsShareWithPagesOfItsOwnStoppedLately_paysWithThose() {
    a.useRange(0, SHARE + 20); // more than its share, and none of it to be had
    fillIdle(b, SHARE - 20);
    fillIdle(c, SHARE);
    c.useRange(0, 10);

    c.useRange(SHARE, SHARE + 5);

    hold(SHARE + 20, SHARE - 20, SHARE);
    assertThat(TestRanges.map(c)).startsWith("U".repeat(10) + "A".repeat(23) + "F".repeat(5));
  }

  @Test
  void useRange_alone_paysWithItsOwnPagesHoweverYoung() {
    ranges.close();
    ShrinkablePageRange alone = ranges.openSession(2 * RANGE_PAGES);
    fillIdle(alone, 118);

    alone.useRange(118, 128);

    assertThat(alone.counts().used()).isEqualTo(10);
    assertThat(alone.counts().available()).isEqualTo(108);
  }

  @Test
  void useRange_upToItsShare_takesYoungPagesOfOthersToo() {
    a.useRange(0, 2 * SHARE);
    fillIdle(b, SHARE);

    c.useRange(0, 10);

    hold(2 * SHARE, SHARE - 10, 10);
  }

  @Test
  void useRange_partlyBeyondItsShare_refusedWhileTheRestIsYoung() {
    a.useRange(0, SHARE + 20);
    fillIdle(b, SHARE - 10);
    c.useRange(0, SHARE - 10);

    refusedToSpareOthers(c, SHARE - 10, SHARE + 4);

    hold(SHARE + 20, SHARE - 10, SHARE - 10);
  }

  /** Else one large use would come above its share with pages taken for what lies within it. */
  @Test
  void useRange_partlyBeyondItsShareAndSomeRoom_refusedWhereItsShareAloneIsGiven() {
    a.useRange(0, SHARE + 16);
    fillIdle(b, SHARE - 10);
    c.useRange(0, SHARE - 10);

    refusedToSpareOthers(c, SHARE - 10, SHARE + 4);
    hold(SHARE + 16, SHARE - 10, SHARE - 10);
    c.useRange(SHARE - 10, SHARE);

    hold(SHARE + 16, SHARE - 16, SHARE);
  }

  @Test
  void useRange_liarAboveItsShareWithStampsInTheFuture_paysFirst() {
    fillIdle(a, SHARE);
    protectionEnds();
    fillIdle(b, 2 * SHARE);
    stampInTheFuture(b, 2 * SHARE);

    c.useRange(0, SHARE);

    hold(SHARE, SHARE, SHARE);
  }

  @Test
  void useRange_liarWithinItsShareWithStampsInTheFuture_doesNotHideOthersOldPages() {
    a.useRange(0, 2 * SHARE);
    fillIdle(b, 4);
    stampInTheFuture(b, 4);
    c.useRange(0, SHARE - 4);
    refused(a, 2 * SHARE, 2 * SHARE + 1);
    hold(2 * SHARE, 4, SHARE - 4);
    c.stopUsingRange(0, SHARE - 4);
    protectionEnds();

    a.useRange(2 * SHARE, 2 * SHARE + 1);

    hold(2 * SHARE + 1, 4, SHARE - 5);
  }

  @Test
  void useRange_liarsPagesLeftInTheQueueByAPlainScan_doNotHideOthersOldPages() {
    a.useRange(0, 2 * SHARE);
    fillIdle(b, 4);
    stampInTheFuture(b, 4);
    c.useRange(0, SHARE - 4);
    assertThat(ranges.shrinker.scan(1).reclaimed())
        .isEqualTo(1); // of lies, if there is nothing else
    c.useRange(SHARE - 4, SHARE - 3);
    c.stopUsingRange(0, SHARE - 3);
    protectionEnds();

    a.useRange(2 * SHARE, 2 * SHARE + 1);

    hold(2 * SHARE + 1, 3, SHARE - 4);
  }

  private static void stampInTheFuture(ShrinkablePageRange range, int pages) {
    try (ClientView client = new ClientView(range)) {
      for (int page = 0; page < pages; page++) {
        ClientView.forceWord(client.table(), page, PageWord.available(PageWord.MAX_STAMP));
      }
    }
  }

  @Test
  void scanFairly_nobodyAboveTheShare_takesTheOldestAndSparesWhatWasStoppedLately() {
    fillIdle(b, 10);
    protectionEnds();
    fillIdle(a, SHARE);

    assertThat(ranges.shrinker.scanFairly(12, ReclaimTrigger.WATERMARK).reclaimed()).isEqualTo(10);

    hold(SHARE, 0, 0);
    protectionEnds();
    assertThat(ranges.shrinker.scanFairly(2, ReclaimTrigger.WATERMARK).reclaimed()).isEqualTo(2);
    hold(SHARE - 2, 0, 0);
  }

  @Test
  void scanFairly_whoIsAboveTheShareUsesAllOfIt_sparesWhatOthersStoppedLately() {
    a.useRange(0, 2 * SHARE);
    fillIdle(b, 10);
    protectionEnds();
    fillIdle(c, 10);

    assertThat(ranges.shrinker.scanFairly(15, ReclaimTrigger.WATERMARK).reclaimed()).isEqualTo(10);

    hold(2 * SHARE, 0, 10);
  }
}
