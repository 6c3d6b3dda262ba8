package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** Promise 30: an allocation that fails anywhere changes no word and leaves nothing unaccounted. */
final class AllocationFailureTest {
  private static final int PAGES = 700;

  private static TestRanges failingBy(FailingPageFile.Script script) {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));
  }

  /** Runs of absent pages between USED and AVAILABLE ones, longer than one hold of the lock. */
  private static ShrinkablePageRange openWithHoles(TestRanges ranges) {
    ShrinkablePageRange range = ranges.open(PAGES);
    range.useRange(10, 12);
    range.useRange(300, 310);
    range.useRange(650, 651);
    Pages.fill(range, 300, 310, 7);
    Pages.fill(range, 10, 12, 7);
    range.stopUsingRange(305, 310);
    return range;
  }

  private static long[] words(ShrinkablePageRange range) {
    long[] words = new long[range.pageCount()];
    for (int page = 0; page < words.length; page++) {
      words[page] = range.table().wordAcquire(page);
    }
    return words;
  }

  @Test
  void useRange_nthCallToTheKernelFails_changesNoWordAndLeavesNothingUnaccounted() {
    FailingPageFile.Script script = new FailingPageFile.Script();
    int failures = 0;
    boolean failed = true;
    while (failed) {
      try (TestRanges ranges = failingBy(script)) {
        ShrinkablePageRange range = openWithHoles(ranges);
        long[] before = words(range);
        long charged = ranges.budget.chargedPages();
        script.failNth(failures + 1);

        try {
          range.useRange(0, PAGES);
          failed = false;
        } catch (PageFailure.NoMemory e) {
          failures++;
          assertThat(e.hopeless()).isFalse();
          assertThat(e).hasMessageContaining("ENOSPC");
          assertThat(words(range)).isEqualTo(before);
          assertThat(ranges.budget.chargedPages()).isEqualTo(charged);
        }
        script.failNone();

        ranges.checkInvariants();
        PageSpans fresh = range.useRange(0, PAGES);
        assertThat(fresh.pageCount()).isEqualTo(failed ? PAGES - 13 : 0);
        assertThat(Pages.bytes(range, 300, 310)).containsOnly(7);
        assertThat(Pages.bytes(range, 10, 12)).containsOnly(7);
        ranges.checkInvariants();
      }
    }
    assertThat(failures).isGreaterThan(4); // runs, and a look for strays under each hold
  }

  @Test
  void useRange_nthAndEveryLaterCallFails_leavesNothingUnaccounted() {
    FailingPageFile.Script script = new FailingPageFile.Script();
    int failures = 0;
    boolean failed = true;
    while (failed) {
      try (TestRanges ranges = failingBy(script)) {
        ShrinkablePageRange range = openWithHoles(ranges);
        script.failFrom(failures + 1, Integer.MAX_VALUE, null);

        try {
          range.useRange(0, PAGES);
          failed = false;
        } catch (PageFailure.NoMemory e) {
          failures++;
        }
        script.failNone();

        // Pages that could not be punched again are AVAILABLE: a scan takes them.
        ranges.checkInvariants();
        assertThat(range.counts().used()).isEqualTo(failed ? 8 : PAGES);
        ranges.shrinker.scan(PAGES);
        assertThat(range.pages().count()).isEqualTo(failed ? 8 : PAGES);
        ranges.checkInvariants();
      }
    }
    assertThat(failures).isGreaterThan(4);
  }

  @RepeatedTest(30)
  void useRange_failsWhileASecondUserUsesAPageOfIt_takesNothingFromTheSecond()
      throws InterruptedException {
    FailingPageFile.Script script = new FailingPageFile.Script();
    try (TestRanges ranges = failingBy(script)) {
      ShrinkablePageRange range = ranges.open(PAGES);
      AtomicBoolean failing = new AtomicBoolean();
      // The fourth call is the second hold's look for strays: pages 0 to 255 have memory by then.
      script.failNth(4);
      script.beforeEach(() -> {
        if (script.calls() == 4 && range.pages().isResident(0)) {
          failing.set(true);
          while (!range.pages().lock.hasQueuedThreads()) {
            Thread.onSpinWait();
          }
        }
      });

      Crowd.run(
          2,
          index -> {
            if (index == 0) {
              assertThatThrownBy(() -> range.useRange(0, PAGES))
                  .isInstanceOf(PageFailure.NoMemory.class);
            } else {
              while (!failing.get()) {
                Thread.onSpinWait();
              }
              range.useRange(range.spans().add(0, 2).add(100, 101).build());
              Pages.fill(range, 0, 2, 7);
              Pages.fill(range, 100, 101, 7);
            }
          });
      script.beforeEach(() -> {});

      assertThat(range.counts()).isEqualTo(new PageCounts(PAGES - 3, 0, 3, 0));
      assertThat(Pages.bytes(range, 0, 2)).containsOnly(7);
      assertThat(Pages.bytes(range, 100, 101)).containsOnly(7);
      ranges.checkInvariants();
    }
  }

  @Test
  void tryUseRange_neighboursAreBeingAllocated_changesNothing() {
    FailingPageFile.Script script = new FailingPageFile.Script();
    try (TestRanges ranges = failingBy(script)) {
      ShrinkablePageRange range = ranges.open(PAGES);
      range.useRange(1, 2);
      range.stopUsingRange(1, 2);
      List<String> seen = new ArrayList<>();
      script.failNone();
      script.beforeEach(() -> {
        // The second hold's look for strays: pages 0 to 256 have memory, and words to come.
        if (range.pages().isResident(4) && seen.isEmpty()) {
          boolean span = range.tryUseRange(0, 3);
          boolean spans = range.tryUseRange(range.spans().add(1, 2).add(4, 5).build());
          seen.add(span + " " + spans + " " + PageWord.state(range.table().wordAcquire(1)));
        }
      });

      range.useRange(0, PAGES);

      assertThat(seen).containsExactly("false false " + PageWord.AVAILABLE);
      assertThat(range.tryUseRange(0, PAGES)).isTrue();
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_budgetTooSmall_isRefusedWithTheNumbersAndChangesNothing() {
    try (TestRanges ranges = TestRanges.withBudget(10)) {
      ShrinkablePageRange range = ranges.open(16);
      range.useRange(0, 6);
      range.stopUsingRange(4, 6);
      long[] before = words(range);

      assertThatThrownBy(() -> range.useRange(5, 16))
          .isInstanceOfSatisfying(
              PageFailure.NoMemory.class, e -> assertThat(e.hopeless()).isFalse())
          .hasMessageContaining("no memory for 10 pages: resident")
          .hasMessageContaining("--max-resident-bytes (now " + ranges.bytes(10) + " bytes)");

      assertThat(Arrays.copyOf(words(range), 4)).containsOnly(2);
      assertThat(before[0]).isEqualTo(2);
      assertThat(range.counts().used()).isEqualTo(4);
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_moreThanTheLimitCanEverGive_isHopelessAndReclaimsNothing() {
    try (TestRanges ranges = TestRanges.withBudget(10)) {
      ShrinkablePageRange range = ranges.open(16);
      range.useRange(0, 4);
      range.stopUsingRange(0, 2);

      assertThatThrownBy(() -> range.useRange(4, 16))
          .isInstanceOfSatisfying(
              PageFailure.NoMemory.class, e -> assertThat(e.hopeless()).isTrue());

      assertThat(TestRanges.map(range)).isEqualTo("AAUUFFFFFFFFFFFF");
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_budgetSpentOnAvailablePages_reclaimsWhatIsMissingAndNoMore() {
    try (TestRanges ranges = TestRanges.withBudget(12)) {
      ShrinkablePageRange a = ranges.open(16);
      ShrinkablePageRange b = ranges.open(16);
      a.useRange(0, 8);
      a.stopUsingRange(0, 8);

      assertThat(b.useRange(0, 3)).isEqualTo(PageSpans.of(0, 3));

      assertThat(TestRanges.map(a)).isEqualTo("AAAAAFFFFFFFFFFF");
      assertThat(ranges.budget.chargedPages()).isEqualTo(12);
      ranges.checkInvariants();
    }
  }

  @Test
  void register_kernelRefusesTheFile_leavesNothing() {
    PageFileMaker refusing =
        (name, layout) -> {
          throw new SystemCallException("memfd_create", 24);
        };
    try (TestRanges ranges =
        new TestRanges(TestRanges.UNLIMITED_PAGES, PageClock.MONOTONIC, refusing)) {
      assertThatThrownBy(() -> ranges.open(4))
          .isInstanceOf(PageFailure.NoMemory.class)
          .hasMessageContaining("EMFILE");

      assertThat(ranges.budget.chargedPages()).isZero();
      assertThat(ranges.shrinker.counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
    }
  }
}
