package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.pagetide.shm.PageState;
import dev.pagetide.testkit.Promise;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a scan takes, in which order, how many, and past what it goes. The limits in time here are
 * for scans that never end.
 */
public abstract class ReclaimConformance extends RangeConformance {
  private static final Duration FOR_EVER = Duration.ofSeconds(20);

  private final List<RangeUnderTest> opened = new ArrayList<>();

  protected ReclaimConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  private RangeUnderTest openUsed(int pages) {
    RangeUnderTest range = open(pages);
    range.use(0, pages);
    opened.add(range);
    return range;
  }

  private ScanResult scan(long pages) {
    return assertTimeoutPreemptively(FOR_EVER, () -> server().scan(pages));
  }

  /** Scans one page at a time, and tells which page went each time: {@code range:page}. */
  private String drain() {
    StringBuilder order = new StringBuilder();
    while (server().count() > 0) {
      PageState[][] before = states();
      assertThat(scan(1)).isEqualTo(new ScanResult(1, 1, Map.of()));
      PageState[][] after = states();
      for (int range = 0; range < before.length; range++) {
        for (int page = 0; page < before[range].length; page++) {
          if (before[range][page] != after[range][page]) {
            assertThat(before[range][page]).isEqualTo(PageState.AVAILABLE);
            assertThat(after[range][page]).isEqualTo(PageState.FREE);
            order.append(range).append(':').append(page).append(' ');
          }
        }
      }
    }
    return order.toString().trim();
  }

  private PageState[][] states() {
    return opened.stream().map(RangeUnderTest::states).toArray(PageState[][]::new);
  }

  @Test
  @Promise(21)
  void scan_oneCallStoppedFourPages_takesTheHighestFirst() {
    RangeUnderTest range = openUsed(5);
    range.stop(0, 4);

    ScanResult result = scan(1);

    assertThat(result.reclaimed()).isEqualTo(1);
    assertThat(map(range)).isEqualTo("AAAFU");
    assertThat(drain()).isEqualTo("0:2 0:1 0:0");
    assertThat(map(range)).isEqualTo("FFFFU");
  }

  @Test
  @Promise({5, 21})
  void scan_pageStoppedAgainWhileAvailable_keepsItsPlace() {
    RangeUnderTest range = openUsed(3);
    range.stop(0, 1);
    range.stop(1, 2);
    range.stop(0, 1);

    assertThat(drain()).isEqualTo("0:0 0:1");
    assertThat(map(range)).isEqualTo("FFU");
  }

  @Test
  @Promise(21)
  void scan_pageUsedAndStoppedAgain_goesToTheEnd() {
    RangeUnderTest range = openUsed(4);
    for (int page = 0; page < 4; page++) {
      range.stop(page, page + 1);
    }
    range.use(1, 2);
    range.stop(1, 2);

    assertThat(drain()).isEqualTo("0:0 0:2 0:3 0:1");
  }

  @Test
  @Promise({13, 21})
  void scan_pageUsedAfterItWasQueued_isNotTakenFromTheQueue() {
    RangeUnderTest range = openUsed(5);
    range.stop(0, 4);
    assertThat(scan(1).reclaimed()).isEqualTo(1); // queues 2, 1, 0
    range.use(2, 3);
    range.use(1, 2);
    range.stop(1, 2);

    ScanResult result = scan(2);

    assertThat(result.reclaimed()).isEqualTo(2);
    assertThat(result.skipped()).containsEntry(SkipReason.CHANGED, 2L);
    assertThat(map(range)).isEqualTo("FFUFU");
  }

  @Test
  @Promise(21)
  void scan_stopsAcrossRanges_takesTheOldestWhereverItIs() {
    RangeUnderTest a = openUsed(4);
    RangeUnderTest b = openUsed(4);
    b.stop(1, 2);
    a.stop(2, 4);
    b.stop(3, 4);
    a.stop(0, 1);
    b.stop(0, 1);

    assertThat(drain()).isEqualTo("1:1 0:3 0:2 1:3 0:0 1:0");
    assertThat(map(a)).isEqualTo("FUFF");
    assertThat(map(b)).isEqualTo("FFUF");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 2, 5, 6, 7, 1_000_000, Long.MAX_VALUE})
  @Promise({20, 22})
  void scan_anyNumberAtRest_reclaimsThatManyOrAll(long pages) {
    RangeUnderTest a = openUsed(8);
    RangeUnderTest b = openUsed(8);
    a.stop(2, 5);
    b.stop(0, 3);
    long held = server().budget().chargedPages();
    long expected = Math.clamp(pages, 0, 6);

    ScanResult result = scan(pages);

    assertThat(result).isEqualTo(new ScanResult(expected, expected, Map.of()));
    assertThat(server().count()).isEqualTo(6 - expected);
    assertThat(server().shrinker().counts())
        .isEqualTo(new PageCounts(expected, 6 - expected, 10, 0));
    assertThat(server().budget().chargedPages()).isEqualTo(held - expected);
    assertThat(Invariants.residentPages(core(a)) + Invariants.residentPages(core(b)))
        .isEqualTo(held - expected);
    assertThat(server().shrinker().counters().reclaimed()).isEqualTo(expected);
  }

  @Test
  @Promise(26)
  void scan_nothingLeft_returnsNothing() {
    RangeUnderTest range = openUsed(8);
    range.stop(1, 8);
    assertThat(scan(100).reclaimed()).isEqualTo(7);

    for (long pages : new long[] {1, 8, 9, Long.MAX_VALUE}) {
      assertThat(scan(pages)).isEqualTo(ScanResult.NOTHING);
    }

    assertThat(map(range)).isEqualTo("UFFFFFFF");
  }

  @Test
  @Promise(23)
  void scan_rangeLocked_skipsItAndTakesFromOthers() {
    RangeUnderTest a = openUsed(8);
    RangeUnderTest b = openUsed(8);
    a.stop(0, 4);
    b.stop(0, 4);

    try (HeldLock held = new HeldLock(core(a))) {
      ScanResult result = scan(3);

      assertThat(held).isNotNull();
      assertThat(result).isEqualTo(new ScanResult(7, 3, Map.of(SkipReason.LOCKED, 4L)));
      assertThat(map(a)).isEqualTo("AAAAUUUU");
      assertThat(map(b)).isEqualTo("AFFFUUUU");
      assertThat(scan(100).reclaimed()).isEqualTo(1);
      assertThat(scan(100).reclaimed()).isZero();
    }
    assertThat(map(a)).isEqualTo("AAAAUUUU");
    assertThat(scan(1).reclaimed()).isEqualTo(1);
    assertThat(map(a)).isEqualTo("AAAFUUUU");
  }

  @Test
  @Promise(23)
  void scan_rangeLockedAndEverythingAskedFor_takesTheOthers() {
    RangeUnderTest a = openUsed(4);
    RangeUnderTest b = openUsed(4);
    a.stop(0, 4);
    b.stop(0, 4);

    try (HeldLock held = new HeldLock(core(a))) {
      ScanResult result = scan(8);

      assertThat(held).isNotNull();
      assertThat(result.reclaimed()).isEqualTo(4);
      assertThat(result.skipped()).containsEntry(SkipReason.LOCKED, 4L);
    }
    assertThat(map(a)).isEqualTo("AAAA");
    assertThat(map(b)).isEqualTo("FFFF");
  }

  @Test
  @Promise({3, 5, 23})
  void useAndStop_rangeLocked_neitherWaitsWhereAllPagesAreResident() {
    RangeUnderTest range = openUsed(4);
    fill(range, 0, 4, 7);

    try (HeldLock held = new HeldLock(core(range))) {
      assertThat(held).isNotNull();
      assertTimeoutPreemptively(
          FOR_EVER,
          () -> {
            range.stop(0, 4);
            assertThat(map(range)).isEqualTo("AAAA");
            assertThat(range.use(0, 1)).isEqualTo(pages());
            expectBytes(range, 0, 1, 7);
            range.stop(0, 1);
            assertThat(range.use(0, 1)).isEqualTo(pages());
          });
    }

    assertThat(map(range)).isEqualTo("UAAA");
  }

  @Test
  @Promise({21, 24})
  void scan_pagesSkippedBefore_areTakenNextInTheirOrder() {
    RangeUnderTest a = openUsed(4);
    RangeUnderTest b = openUsed(4);
    a.stop(1, 2);
    b.stop(0, 1);
    a.stop(0, 1);
    b.stop(1, 2);

    try (HeldLock held = new HeldLock(core(a))) {
      assertThat(held).isNotNull();
      assertThat(scan(1).reclaimed()).isEqualTo(1);
    }

    assertThat(map(a)).isEqualTo("AAUU");
    assertThat(map(b)).isEqualTo("FAUU");
    assertThat(drain()).isEqualTo("0:1 0:0 1:1");
    assertThat(map(a)).isEqualTo("FFUU");
    assertThat(map(b)).isEqualTo("FFUU");
  }

  @Test
  @Promise(24)
  void scan_thousandsSkippedAtTheHead_takesAllBehindThem() {
    start(ServerTerms.PLENTY.withRangesOf(10_000));
    RangeUnderTest a = openUsed(10_000);
    RangeUnderTest b = openUsed(100);
    a.stop(0, 9_999);
    b.stop(0, 90);

    try (HeldLock held = new HeldLock(core(a))) {
      assertThat(held).isNotNull();
      assertThat(scan(50).reclaimed()).isEqualTo(50);
      assertThat(scan(1_000).reclaimed()).isEqualTo(40);
    }

    assertThat(core(b).counts()).isEqualTo(new PageCounts(90, 0, 10, 0));
    assertThat(core(a).counts()).isEqualTo(new PageCounts(0, 9_999, 1, 0));
    assertThat(scan(9_999).reclaimed()).isEqualTo(9_999);
  }

  @Test
  @Promise(30)
  void use_moreThanTheBudgetCanEverGive_isRefusedAndReclaimsNothing() {
    start(ServerTerms.ofBudget(10));
    RangeUnderTest range = open(16);
    bring(range, "AAUUFFFFFFFFFFFF", 7);

    assertRefused(Refused.Why.NO_MEMORY, () -> range.use(4, 16));

    assertThat(map(range)).isEqualTo("AAUUFFFFFFFFFFFF");
    assertThat(server().budget().chargedPages()).isEqualTo(6);
    expectBytes(range, 2, 4, 7);
  }

  @Test
  @Promise({20, 21})
  void use_budgetSpentOnAvailablePages_reclaimsWhatIsMissingAndNoMore() {
    start(ServerTerms.ofBudget(12));
    RangeUnderTest a = open(16);
    RangeUnderTest b = open(16);
    bring(a, "AAAAAAAAFFFFFFFF", 7);

    assertThat(b.use(0, 3)).isEqualTo(pages(0, 3));

    assertThat(map(a)).isEqualTo("AAAAAFFFFFFFFFFF");
    expectBytes(b, 0, 3, 0);
    assertThat(server().budget().chargedPages()).isEqualTo(12);
  }
}
