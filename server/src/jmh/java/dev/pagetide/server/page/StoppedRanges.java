package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Ranges of 1,024 pages, as a server has them, all of whose pages are AVAILABLE; stopped in an
 * order that neither page nor range has, over files that give no memory ({@link TableOnlyFile}).
 */
final class StoppedRanges {
  private static final int PAGES = 1024;

  /** Odd and prime, so that its multiples go round all pages before they come again. */
  private static final long STEP = 611_953;

  private final TestRanges ranges =
      new TestRanges(TestRanges.UNLIMITED_PAGES, PageClock.MONOTONIC, TableOnlyFile::make);
  private final List<ShrinkablePageRange> swept = new ArrayList<>();

  StoppedRanges(int count) {
    for (int i = 0; i < count; i++) {
      ShrinkablePageRange range = ranges.open(PAGES);
      range.useRange(0, PAGES);
      swept.add(range);
    }
    for (long i = 0; i < pageCount(); i++) {
      int place = (int) (i * STEP % pageCount());
      swept.get(place / PAGES).stopUsingRange(place % PAGES, place % PAGES + 1);
    }
  }

  /** Ranges of so many pages at least. */
  static StoppedRanges ofPages(int pages) {
    return new StoppedRanges(Math.ceilDiv(pages, PAGES));
  }

  int pageCount() {
    return swept.size() * PAGES;
  }

  /** The least that a look at all pages can be: reads every word, counts those AVAILABLE. */
  long bareWords() {
    long available = 0;
    for (ShrinkablePageRange range : swept) {
      PageTable table = range.table();
      for (int page = 0; page < PAGES; page++) {
        if (PageWord.state(table.wordAcquire(page)) == PageWord.AVAILABLE) {
          available++;
        }
      }
    }
    return available;
  }

  /** {@link Shrinker#count}. */
  long count() {
    return ranges.shrinker.count();
  }

  /** A sweep into an empty queue. */
  int sweep(int most) {
    EvictionQueue queue = new EvictionQueue(PageClock.MONOTONIC, PageObserver.NONE);
    return queue.sweep(() -> swept, Set.of(), most, false).queued();
  }

  void close() {
    ranges.close();
  }
}
