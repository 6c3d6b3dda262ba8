package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The order of reclaim where stamps are equal or lies, and while others stop under the scan. */
@Promise({20, 21})
final class ShrinkerOrderTest {
  private final AtomicLong time = new AtomicLong(1_000);
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          time::incrementAndGet,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));

  @AfterEach
  void close() {
    script.failNone();
    ranges.checkInvariants();
    ranges.close();
  }

  /** Scans one page at a time, and tells which page went each time: {@code range:page}. */
  private String drain() {
    StringBuilder order = new StringBuilder();
    while (ranges.shrinker.count() > 0) {
      PageState[][] before = states();
      assertThat(ranges.shrinker.scan(1)).isEqualTo(new ScanResult(1, 1, Map.of()));
      PageState[][] after = states();
      for (int range = 0; range < before.length; range++) {
        for (int page = 0; page < before[range].length; page++) {
          if (before[range][page] != after[range][page]) {
            assertThat(after[range][page]).isEqualTo(PageState.FREE);
            order.append(range).append(':').append(page).append(' ');
          }
        }
      }
    }
    return order.toString().trim();
  }

  private PageState[][] states() {
    return ranges.ranges.stream()
        .map(range -> range.states(0, range.pageCount()))
        .toArray(PageState[][]::new);
  }

  @Test
  void scan_sameStampInTwoRanges_takesTheOlderRangeFirst() {
    AtomicLong frozen = new AtomicLong(5);
    try (TestRanges still =
        new TestRanges(TestRanges.UNLIMITED_PAGES, frozen::get, PageFileMaker.MEMFD)) {
      ShrinkablePageRange a = still.open(2);
      ShrinkablePageRange b = still.open(2);
      b.useRange(0, 2);
      a.useRange(0, 2);
      b.stopUsingRange(0, 2);
      a.stopUsingRange(0, 2);

      assertThat(still.shrinker.scan(3).reclaimed()).isEqualTo(3);

      assertThat(TestRanges.map(a)).isEqualTo("FF");
      assertThat(TestRanges.map(b)).isEqualTo("AF");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE})
  void scan_negativeNumber_doesNothing(long pages) {
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    range.stopUsingRange(0, 4);

    assertThat(ranges.shrinker.scan(pages)).isEqualTo(ScanResult.NOTHING);

    assertThat(TestRanges.map(range)).isEqualTo("AAAA");
  }

  @Test
  void scan_scopeOfOneSession_takesItsPagesAlone() {
    PageBudget mine = ranges.budget.child("session", 1_000);
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4, mine);
    a.useRange(0, 4);
    b.useRange(0, 4);
    a.stopUsingRange(0, 4);
    b.stopUsingRange(0, 3);

    assertThat(ranges.shrinker.count(mine)).isEqualTo(3);
    assertThat(ranges.shrinker.scan(2, mine).reclaimed()).isEqualTo(2);
    assertThat(TestRanges.map(b)).isEqualTo("AFFU");
    assertThat(ranges.shrinker.scan(100, mine).reclaimed()).isEqualTo(1);

    assertThat(TestRanges.map(a)).isEqualTo("AAAA");
    assertThat(TestRanges.map(b)).isEqualTo("FFFU");
  }

  @Test
  void scan_stampInTheFuture_goesLastButGoes() {
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    range.stopUsingRange(0, 3);
    ClientView.forceWord(range.table(), 2, PageWord.available(1L << 50));
    ClientView.forceWord(range.table(), 1, PageWord.available(PageWord.MAX_STAMP));

    assertThat(drain()).isEqualTo("0:0 0:2 0:1");
    assertThat(TestRanges.map(range)).isEqualTo("FFFU");
  }

  @Test
  void scan_allWithAStampInTheFuture_takesThemToo() {
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    range.stopUsingRange(0, 4);
    ClientView.forceWord(range.table(), 2, PageWord.available(PageWord.MAX_STAMP));

    assertThat(ranges.shrinker.scan(Long.MAX_VALUE).reclaimed()).isEqualTo(4);

    assertThat(TestRanges.map(range)).isEqualTo("FFFF");
  }

  @Test
  void scan_moreThanOneQueueHolds_takesTheOldestOfAll() {
    ShrinkablePageRange range = ranges.open(20_000);
    range.useRange(0, 20_000);
    for (int page = 0; page < 19_000; page++) {
      int stopped = (int) (page * 7_919L % 19_000);
      range.stopUsingRange(stopped, stopped + 1);
    }

    assertThat(ranges.shrinker.scan(10_000).reclaimed()).isEqualTo(10_000);

    for (int page = 0; page < 19_000; page++) {
      int stopped = (int) (page * 7_919L % 19_000);
      assertThat(range.pages().isResident(stopped)).isEqualTo(page >= 10_000);
    }
    assertThat(range.counts()).isEqualTo(new PageCounts(10_000, 9_000, 1_000, 0));
  }

  @Test
  @Promise(20)
  void scan_pagesStoppedWhileItTakesEverything_takesNoMoreThanAskedFor() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(16);
    a.useRange(0, 1);
    a.stopUsingRange(0, 1);
    b.useRange(0, 1);
    b.stopUsingRange(0, 1);
    AtomicBoolean done = new AtomicBoolean();
    script.beforeEach(() -> {
      if (!done.getAndSet(true)) {
        b.useRange(1, 16);
        b.stopUsingRange(1, 16);
      }
    });

    ScanResult result = ranges.shrinker.scan(2);

    script.beforeEach(() -> {});
    assertThat(done).isTrue();
    assertThat(result.reclaimed()).isEqualTo(2);
    assertThat(TestRanges.map(a)).isEqualTo("FFFF");
    assertThat(TestRanges.map(b)).isEqualTo("FAAAAAAAAAAAAAAA");
  }

  @Test
  void scan_stopsBehindAndBeforeItWhileItTakesEverything_neverTakesTheLaterAlone() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4);
    a.useRange(0, 2);
    b.useRange(0, 1);
    a.stopUsingRange(0, 1);
    AtomicBoolean done = new AtomicBoolean();
    b.stopUsingRange(0, 1);
    b.useRange(1, 2);
    script.beforeEach(() -> {
      if (!done.getAndSet(true)) {
        a.stopUsingRange(1, 2); // behind the walk
        b.stopUsingRange(1, 2); // before it, and later
        a.useRange(2, 4);
      }
    });

    assertThat(ranges.shrinker.scan(4).reclaimed()).isEqualTo(4);

    script.beforeEach(() -> {});
    assertThat(done).isTrue();
    assertThat(TestRanges.map(a)).isEqualTo("FFUU");
    assertThat(TestRanges.map(b)).isEqualTo("FFFF");
  }

  @Test
  void scan_stopsInTheTickInWhichItBegan_neverTakesTheLaterAlone() {
    AtomicLong reads = new AtomicLong();
    try (TestRanges coarse =
        new TestRanges(
            TestRanges.UNLIMITED_PAGES,
            () -> 1_000 + reads.getAndIncrement() / 64,
            (name, layout) ->
                new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script))) {
      ShrinkablePageRange a = coarse.open(4);
      ShrinkablePageRange b = coarse.open(4);
      a.useRange(0, 2);
      b.useRange(0, 2);
      a.stopUsingRange(0, 1);
      b.stopUsingRange(0, 1);
      script.beforeNext(
          FailingPageFile.Call.PUNCH,
          () -> {
            a.stopUsingRange(1, 2); // behind the walk
            b.stopUsingRange(1, 2); // before it
          });
      reads.set(64);

      ScanResult result = coarse.shrinker.scan(4);

      assertThat(script.nextHasCome()).isTrue();
      assertThat(result.reclaimed()).isEqualTo(4);
      assertThat(TestRanges.map(a)).isEqualTo("FFFF");
      assertThat(TestRanges.map(b)).isEqualTo("FFFF");
      coarse.checkInvariants();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1}) // so many AVAILABLE pages before: what follows meets the next sweep
  void scan_rangeRegisteredAtAnyMoment_neverTakesWhatWasStoppedAfterItsPage(int before) {
    int look = 1;
    while (registersAtLook(look, before)) {
      look++;
    }

    assertThat(look).as("looks at the clock").isGreaterThan(4);
  }

  /**
   * A scan at whose n-th look at the clock a range is registered, its page stopped, and then pages
   * of an older range; false if it ends before.
   */
  private boolean registersAtLook(int look, int before) {
    AtomicInteger left = new AtomicInteger();
    AtomicReference<Runnable> then = new AtomicReference<>(() -> {});
    PageClock clock =
        () -> {
          if (left.get() > 0 && left.decrementAndGet() == 0) {
            Objects.requireNonNull(then.get()).run();
          }
          return time.incrementAndGet();
        };
    try (TestRanges under =
        new TestRanges(TestRanges.UNLIMITED_PAGES, clock, PageFileMaker.MEMFD)) {
      ShrinkablePageRange older = under.open(8);
      older.useRange(0, 5);
      older.stopUsingRange(4, 4 + before);
      then.set(() -> {
        ShrinkablePageRange registered = under.open(8);
        registered.useRange(0, 1);
        registered.stopUsingRange(0, 1); // first
        older.stopUsingRange(0, 2);
      });
      left.set(look);

      under.shrinker.scan(1 + before);

      if (left.getAndSet(0) > 0) {
        return false;
      }
      for (int scans = 0; scans < 3; scans++) {
        boolean laterIsGone = TestRanges.map(older).substring(0, 2).contains("F");
        boolean firstIsThere = TestRanges.map(under.ranges.get(1)).startsWith("A");
        assertThat(laterIsGone && firstIsThere)
            .as("look %d, scan %d: the later went first", look, scans)
            .isFalse();
        under.shrinker.scan(1);
      }
      assertThat(TestRanges.map(under.ranges.get(1))).isEqualTo("FFFFFFFF");
      under.checkInvariants();
      return true;
    }
  }
}
