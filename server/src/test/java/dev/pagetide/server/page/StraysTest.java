package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a client's touches through its mapping count as, and what it keeps of a stopped server. */
final class StraysTest {
  @Test
  void useRange_freePageTouchedThroughAMapping_readsZerosAndCountsTheStray() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      client.scribble(2, 9);
      client.scribble(5, 9);
      assertThat(Invariants.residentPages(range)).isEqualTo(4);

      PageSpans fresh = range.useRange(2, 3);

      assertThat(fresh).isEqualTo(PageSpans.of(2, 3));
      assertThat(Pages.bytes(range, 2, 3)).containsOnly(0);
      assertThat(range.strays()).isEqualTo(2);
      assertThat(client.get(5, 0)).isZero(); // reading it brings page 5 back, as a stray again
      assertThat(range.useRange(4, 6)).isEqualTo(PageSpans.of(4, 6));
      assertThat(range.strays()).isEqualTo(3);
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_noStrays_countsNone() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(1024);
      range.useRange(0, 300);
      range.stopUsingRange(0, 300);
      ranges.shrinker.scan(150);
      range.useRange(0, 1024);

      assertThat(range.strays()).isZero();
      ranges.checkInvariants();
    }
  }

  @Test
  void closeKeepingBytes_clientHoldsItsMapping_leavesItsBytes() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 8);
      Pages.fill(range, 0, 8, 7);
      try (ClientView client = new ClientView(range)) {
        range.closeKeepingBytes();

        assertThat(client.get(3, 0)).isEqualTo((byte) 7);
        assertThat(range.isClosed()).isTrue();
        assertThat(ranges.budget.chargedPages()).isZero();
      }
    }
  }
}
