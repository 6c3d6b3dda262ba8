package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Writes into a range whose lock a thread holds for as long as the client likes: it is in a system
 * call on the client's file. The limit in time is for a write that never ends.
 */
@Promise(32)
final class HeldRangeTest {
  private static final Duration FOR_EVER = Duration.ofSeconds(20);

  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          PageClock.MONOTONIC,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));

  @AfterEach
  void close() {
    ranges.close();
  }

  @Test
  void write_pageIsMadeFreeMeanwhile_doesNotWaitForTheLock() {
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    PageTable table = range.table();
    for (int page = 0; page < 4; page++) {
      int flipped = page;
      script.beforeNext(
          FailingPageFile.Call.WRITE_ZEROS,
          () -> {
            boolean _ = table.casWord(flipped, PageWord.USED_WORD, PageWord.free(1));
          });

      try (HeldLock held = new HeldLock(range)) {
        assertThat(held).isNotNull();
        long offset = (long) page * range.pageSize();
        assertTimeoutPreemptively(FOR_EVER, () -> range.fillZero(offset, 8));
      }
      assertThat(PageWord.state(table.wordAcquire(page))).isEqualTo(PageWord.FREE);
    }
  }
}
