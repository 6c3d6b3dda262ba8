package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a client is not told of a failed allocation: messages, hopelessness, half an allocation. */
@Promise(30)
final class AllocationFailureTest {
  private static final int PAGES = 700;

  private static TestRanges failingBy(FailingPageFile.Script script) {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));
  }

  private static long[] words(ShrinkablePageRange range) {
    long[] words = new long[range.pageCount()];
    for (int page = 0; page < words.length; page++) {
      words[page] = range.table().wordAcquire(page);
    }
    return words;
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
  void tryUseRange_neighbourIsBeingPunched_changesNothing() {
    FailingPageFile.Script script = new FailingPageFile.Script();
    try (TestRanges ranges = failingBy(script)) {
      ShrinkablePageRange range = ranges.open(8);
      range.useRange(0, 5);
      range.stopUsingRange(3, 4); // the oldest
      range.stopUsingRange(0, 3);
      List<String> seen = new ArrayList<>();
      script.beforeNext(
          FailingPageFile.Call.PUNCH,
          () -> {
            long[] before = words(range);
            boolean span = range.tryUseRange(0, 5);
            boolean spans = range.tryUseRange(range.spans().add(0, 1).add(2, 4).build());
            boolean one = range.tryUseRange(3, 4);
            seen.add(span + " " + spans + " " + one + " " + Arrays.equals(before, words(range)));
            seen.add(range.tryUseRange(1, 3) + " beside it");
          });

      ScanResult result = ranges.shrinker.scan(1);

      assertThat(seen).containsExactly("false false false true", "true beside it");
      assertThat(result.reclaimed()).isEqualTo(1);
      assertThat(TestRanges.map(range)).isEqualTo("AUUFUFFF");
      ranges.checkInvariants();
    }
  }

  @Test
  void tryUseRange_neighbourCannotBePunched_isQuietAgainAfterwards() {
    FailingPageFile.Script script = new FailingPageFile.Script();
    try (TestRanges ranges = failingBy(script)) {
      ShrinkablePageRange range = ranges.open(4);
      range.useRange(0, 4);
      range.stopUsingRange(0, 3);
      script.failEvery(FailingPageFile.Call.PUNCH);

      assertThat(ranges.shrinker.scan(1).reclaimed()).isZero();

      // Else each later use would look at words that it need not look at.
      assertThat(range.map().isQuiet()).isTrue();
      assertThat(range.tryUseRange(0, 4)).isTrue();
      script.failNone();
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
  void register_kernelRefusesTheFile_leavesNothing() {
    PageFileMaker refusing =
        (name, layout) -> {
          throw new SystemCallException("memfd_create", 24);
        };
    try (TestRanges ranges =
        new TestRanges(TestRanges.UNLIMITED_PAGES, PageClock.MONOTONIC, refusing)) {
      assertThatThrownBy(() -> ranges.open(4))
          .isInstanceOfSatisfying(
              PageFailure.NoMemory.class, e -> assertThat(e.hopeless()).isFalse())
          .hasMessageContainingAll("EMFILE", "larger ulimit -n")
          .hasMessageNotContaining("free memory");

      assertThat(ranges.budget.chargedPages()).isZero();
      assertThat(ranges.shrinker.counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
    }
  }
}
