package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.Locale;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sizes, spans, and what use and stop make of pages in each state. */
public abstract class StatesConformance extends RangeConformance {
  private static final int THAT_PAGE = 3;

  protected StatesConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  @Test
  @Promise(1)
  void open_newRange_allocatesNoDataPage() {
    RangeUnderTest range = open(1024);

    assertThat(Invariants.residentPages(core(range))).isEqualTo(3);
    assertThat(server().budget().chargedPages()).isEqualTo(3);
    assertThat(map(range)).isEqualTo("F".repeat(1024));
    assertThat(core(range).highWatermark()).isZero();
    assertThat(server().shrinker().counters().allocated()).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095})
  @Promise(8)
  void open_lessThanAPage_isRefusedAndLeavesNothing(long sizeBytes) {
    assertRefused(Refused.Why.SIZE_INVALID, () -> server().open(sizeBytes * PAGE / 4096));

    assertThat(server().budget().chargedPages()).isZero();
    assertThat(server().shrinker().counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
  }

  @ParameterizedTest
  @CsvSource({"0, 1, 1", "1, 1, 1", "4095, 1, 1", "0, 2, 2", "1, 1023, 1023", "0, 1024, 1024"})
  @Promise(8)
  void open_pagesAndARest_dropsTheRest(int rest, int pages, int granted) {
    RangeUnderTest range = server().open((long) pages * Memfd.systemPageSize() + rest);

    assertThat(range.pageCount()).isEqualTo(granted);
    assertRefused(Refused.Why.PAST_END, () -> range.use(granted, granted + 1));
    assertThat(range.use(granted - 1, granted)).isEqualTo(pages(granted - 1, granted));
  }

  @ParameterizedTest
  @ValueSource(longs = {(4L << 20) + 1, (4L << 20) + 4096, 1L << 40, Long.MAX_VALUE})
  @Promise(8)
  void open_moreThanTheMaximum_grantsTheMaximum(long sizeBytes) {
    RangeUnderTest range = server().open(sizeBytes);

    assertThat(range.pageCount()).isEqualTo((4 << 20) / PAGE);
    assertThat(server().budget().chargedPages()).isEqualTo(3);
  }

  @Test
  @Promise(30)
  void open_budgetTooSmallForTheBookkeeping_isRefusedAndLeavesNothing() {
    start(ServerTerms.ofBudget(4));
    open(1); // a header and a page of the table
    // What was handed over to a client is closed a moment after the client has it.
    await().until(() -> ClientView.openRangeFiles() == 1);

    assertRefused(Refused.Why.NO_MEMORY, () -> open(513)); // two pages of the table

    assertThat(server().budget().chargedPages()).isEqualTo(2);
    assertThat(ClientView.openRangeFiles()).isEqualTo(1);
    assertThat(open(512).pageCount()).isEqualTo(512);
  }

  @Test
  @Promise({2, 3, 4})
  void use_someFreePages_allocatesExactlyThese() {
    RangeUnderTest range = open(16);
    range.use(4, 6);

    assertThat(range.use(2, 8)).isEqualTo(pages(2, 4, 6, 8));

    assertThat(map(range)).isEqualTo("FFUUUUUUFFFFFFFF");
    assertThat(core(range).highWatermark()).isEqualTo(8);
    assertThat(server().shrinker().counters().allocated()).isEqualTo(6);
    checkInvariants();
    assertThat(range.use(2, 8)).isEqualTo(pages());
    assertThat(map(range)).isEqualTo("FFUUUUUUFFFFFFFF");
    assertThat(server().shrinker().counters().allocated()).isEqualTo(6);
  }

  @Test
  @Promise(3)
  void use_wholeLargeRange_takesSeveralHoldsAndGivesAll() {
    RangeUnderTest range = open(1024);

    assertThat(range.use(0, 1024)).isEqualTo(pages(0, 1024));

    assertThat(map(range)).isEqualTo("U".repeat(1024));
    assertThat(server().shrinker().counters().allocated()).isEqualTo(1024);
    assertThat(server().count()).isZero();
  }

  @Test
  @Promise(9)
  void stop_useUseStop_leavesThePageAvailable() {
    RangeUnderTest range = open(4);
    range.use(0, 2);
    range.use(1, 3);

    range.stop(1, 2);

    assertThat(map(range)).isEqualTo("UAUF");
    assertThat(server().count()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "8, 8", "3, 2", "9, 9", "5000, 10", "2147483647, 0"})
  @Promise(6)
  void spans_emptyOrInverted_succeedAndDoNothing(int start, int end) {
    RangeUnderTest range = open(8);
    bring(range, "UAFFFFFF", 7);

    assertThat(range.use(start, end)).isEqualTo(pages());
    assertThat(range.use(start, end, end, end)).isEqualTo(pages());
    range.stop(start, end);
    range.stop(start, end, start, end);
    assertThat(range.use()).isEqualTo(pages());
    range.stop();

    assertThat(map(range)).isEqualTo("UAFFFFFF");
    assertThat(server().shrinker().counters().allocated()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource({"0, 9", "8, 9", "-1, 1", "7, 2147483647", "2147483646, 2147483647"})
  @Promise(7)
  void spans_pastTheEndOrNegative_areRefusedAndDoNothing(int start, int end) {
    RangeUnderTest range = open(8);
    bring(range, "UAFFFFFF", 7);

    assertRefused(Refused.Why.PAST_END, () -> range.use(start, end));
    assertRefused(Refused.Why.PAST_END, () -> range.use(0, 2, start, end));
    assertRefused(Refused.Why.PAST_END, () -> range.stop(start, end));
    assertRefused(Refused.Why.PAST_END, () -> range.stop(0, 2, start, end));

    assertThat(map(range)).isEqualTo("UAFFFFFF");
    assertThat(server().shrinker().counters().allocated()).isEqualTo(2);
    assertThat(range.use(7, 8)).isEqualTo(pages(7, 8));
  }

  /** A range whose page 3 alone is not FREE, or is. */
  private RangeUnderTest openIn(PageState state) {
    RangeUnderTest range = open(8);
    bring(range, mapWith(state), 7);
    return range;
  }

  private static String mapWith(PageState state) {
    return "FFF" + state.name().toUpperCase(Locale.ROOT).charAt(0) + "FFFF";
  }

  @ParameterizedTest
  @EnumSource
  @Promise({3, 4})
  void use_pageInEachState_makesItUsed(PageState before) {
    RangeUnderTest range = openIn(before);
    boolean wasFree = before == PageState.FREE;

    assertThat(range.use(THAT_PAGE, THAT_PAGE + 1))
        .isEqualTo(wasFree ? pages(THAT_PAGE, THAT_PAGE + 1) : pages());

    assertThat(map(range)).isEqualTo(mapWith(PageState.USED));
    expectBytes(range, THAT_PAGE, THAT_PAGE + 1, wasFree ? 0 : 7);
    assertThat(server().shrinker().counters().allocated()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  @Promise(5)
  void stop_pageInEachState_makesUsedAvailableAndElseNothing(PageState before) {
    RangeUnderTest range = openIn(before);
    long word = words(range)[THAT_PAGE];

    range.stop(THAT_PAGE, THAT_PAGE + 1);

    assertThat(map(range))
        .isEqualTo(mapWith(before == PageState.FREE ? before : PageState.AVAILABLE));
    if (before != PageState.USED) {
      assertThat(words(range)[THAT_PAGE]).isEqualTo(word);
    }
  }

  @ParameterizedTest
  @EnumSource
  @Promise({13, 20})
  void scan_pageInEachState_takesItIfAvailable(PageState before) {
    RangeUnderTest range = openIn(before);
    long expected = before == PageState.AVAILABLE ? 1 : 0;
    assertThat(server().count()).isEqualTo(expected);

    ScanResult result = server().scan(10);

    assertThat(result.reclaimed()).isEqualTo(expected);
    assertThat(result.scanned()).isEqualTo(expected);
    assertThat(map(range)).isEqualTo(mapWith(expected == 1 ? PageState.FREE : before));
    if (before == PageState.USED) {
      expectBytes(range, THAT_PAGE, THAT_PAGE + 1, 7);
    }
  }

  @ParameterizedTest
  @EnumSource
  @Promise(31)
  void close_pageInEachState_givesItsMemoryBack(PageState before) {
    RangeUnderTest range = openIn(before);

    range.close();

    assertThat(server().budget().chargedPages()).isZero();
    assertThat(server().count()).isZero();
    assertThat(server().scan(10)).isEqualTo(ScanResult.NOTHING);
    assertRefused(Refused.Why.ENDED, () -> range.use(THAT_PAGE, THAT_PAGE + 1));
  }

  @Test
  @Promise({2, 3, 5, 15})
  void verbs_pageWithMemoryWhoseWordSaysFree_takeItForFree() {
    RangeUnderTest range = openIn(PageState.USED);
    long offset = (long) THAT_PAGE * PAGE;
    long charged = server().budget().chargedPages();

    ClientView.forceWord(core(range).table(), THAT_PAGE, PageWord.free(0));

    String free = mapWith(PageState.FREE);
    assertThat(map(range)).isEqualTo(free);
    assertThat(core(range).counts()).isEqualTo(new PageCounts(8, 0, 0, 1));
    assertRefused(Refused.Why.NOT_USED, () -> range.read(offset, 1));
    assertRefused(Refused.Why.NOT_USED, () -> range.write(offset, new byte[1]));
    assertRefused(Refused.Why.NOT_USED, () -> range.fillZero(offset, 1));
    range.stop(THAT_PAGE, THAT_PAGE + 1);
    assertThat(server().count()).isZero();
    assertThat(server().scan(10)).isEqualTo(ScanResult.NOTHING);
    assertThat(map(range)).isEqualTo(free);
    assertThat(server().budget().chargedPages()).isEqualTo(charged);
    assertThat(range.use(THAT_PAGE, THAT_PAGE + 1)).isEqualTo(pages(THAT_PAGE, THAT_PAGE + 1));
    assertThat(map(range)).isEqualTo(mapWith(PageState.USED));
    assertThat(server().shrinker().counters().allocated()).isEqualTo(1);
  }

  @Test
  @Promise({3, 4})
  void use_spansOverAllStates_makesAllUsedAndTellsTheFresh() {
    RangeUnderTest range = open(12);
    bring(range, "UUAAUUFFFFFF", 7);

    assertThat(range.use(1, 8, 10, 11)).isEqualTo(pages(6, 8, 10, 11));

    assertThat(map(range)).isEqualTo("UUUUUUUUFFUF");
    expectBytes(range, 0, 6, 7);
    expectBytes(range, 6, 8, 0);
  }

  @Test
  @Promise(5)
  void stop_spansOverAllStates_stopsTheUsedWithOneStamp() {
    RangeUnderTest range = open(8);
    bring(range, "UUAAUUFF", 7);
    long[] before = words(range);

    range.stop(1, 3, 5, 8);

    assertThat(map(range)).isEqualTo("UAAAUAFF");
    long[] after = words(range);
    assertThat(after[2]).isEqualTo(before[2]);
    assertThat(after[1]).isEqualTo(after[5]).isGreaterThan(before[2]);
    assertThat(after[6]).isZero();
    expectBytes(range, 0, 1, 7);
  }
}
