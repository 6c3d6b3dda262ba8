package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.SharedFileHeader;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Promises 1 to 13 and 15 to 18, with one thread. */
final class RangePromisesTest {
  private static final int PAGE_SIZE = Memfd.systemPageSize();

  private final TestRanges ranges = TestRanges.unlimited();

  @AfterEach
  void close() {
    ranges.close();
    assertThat(ranges.budget.chargedPages()).isZero();
  }

  private ShrinkablePageRange register(long sizeBytes) {
    RangeTerms terms = new RangeTerms(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 42);
    ShrinkablePageRange range =
        ShrinkablePageRange.register(99, sizeBytes, terms, ranges.budget, ranges.shrinker);
    ranges.ranges.add(range);
    return range;
  }

  @Test
  void register_newRange_allocatesNoDataPage() { // promise 1
    ShrinkablePageRange range = ranges.open(1024);

    assertThat(Invariants.residentPages(range)).isEqualTo(3);
    assertThat(ranges.budget.chargedPages()).isEqualTo(3);
    assertThat(range.counts()).isEqualTo(new PageCounts(1024, 0, 0, 0));
    assertThat(range.highWatermark()).isZero();
    assertThat(ranges.shrinker.counters().allocated()).isZero();
    ranges.checkInvariants();
  }

  @Test
  void register_newRange_writesTheHeader() {
    ShrinkablePageRange range = register(10L * PAGE_SIZE);

    SharedFileHeader header = new SharedFileHeader(range.file().header());
    assertThat(header.layout()).isEqualTo(range.file().layout());
    assertThat(header.rangeId()).isEqualTo(99);
    assertThat(header.serverInstance()).isEqualTo(42);
    assertThat(header.stateAcquire()).isEqualTo(SharedFileHeader.OPEN);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095})
  void register_lessThanAPage_isRefused(long sizeBytes) { // promise 8
    assertThatThrownBy(() -> register(sizeBytes * PAGE_SIZE / 4096))
        .isInstanceOf(PageFailure.SizeInvalid.class)
        .hasMessageContaining("ask for at least " + PAGE_SIZE + " bytes");

    assertThat(ranges.budget.chargedPages()).isZero();
    assertThat(ranges.shrinker.counts()).isEqualTo(new PageCounts(0, 0, 0, 0));
  }

  @ParameterizedTest
  @CsvSource({"0, 1, 1", "1, 1, 1", "4095, 1, 1", "0, 2, 2", "1, 1023, 1023", "0, 1024, 1024"})
  void register_pagesAndARest_dropsTheRest(int rest, int pages, int granted) { // promise 8
    assertThat(register((long) pages * PAGE_SIZE + rest).pageCount()).isEqualTo(granted);
  }

  @ParameterizedTest
  @ValueSource(longs = {(4L << 20) + 1, (4L << 20) + 4096, 1L << 40, Long.MAX_VALUE, -1, -4096})
  void register_moreThanTheMaximum_grantsTheMaximum(long sizeBytes) { // promise 8
    assertThat(register(sizeBytes).pageCount()).isEqualTo((4 << 20) / PAGE_SIZE);
  }

  @Test
  void register_budgetTooSmallForTheBookkeeping_isRefusedAndLeavesNothing() {
    try (TestRanges small = TestRanges.withBudget(2)) {
      long before = ClientView.openRangeFiles();

      assertThatThrownBy(() -> small.open(1024)).isInstanceOf(PageFailure.NoMemory.class);

      assertThat(small.budget.chargedPages()).isZero();
      assertThat(ClientView.openRangeFiles()).isEqualTo(before);
      assertThat(small.open(512).pageCount()).isEqualTo(512);
    }
  }

  @Test
  void useRange_someFreePages_allocatesExactlyThese() { // promises 2, 3 and 4
    ShrinkablePageRange range = ranges.open(16);
    range.useRange(4, 6);

    PageSpans fresh = range.useRange(2, 8);

    assertThat(fresh).hasToString("{[2, 4), [6, 8)}");
    assertThat(TestRanges.map(range)).isEqualTo("FFUUUUUUFFFFFFFF");
    assertThat(ranges.shrinker.counters().allocated()).isEqualTo(6);
    assertThat(range.highWatermark()).isEqualTo(8);
    assertThat(range.useRange(2, 8)).isEqualTo(PageSpans.NONE);
    assertThat(ranges.shrinker.counters().allocated()).isEqualTo(6);
    assertThat(ranges.shrinker.counters().reused()).isZero();
    ranges.checkInvariants();
  }

  @Test
  void useRange_wholeLargeRange_takesSeveralHoldsAndGivesAll() {
    ShrinkablePageRange range = ranges.open(1024);

    assertThat(range.useRange(0, 1024)).isEqualTo(PageSpans.of(0, 1024));

    assertThat(range.counts()).isEqualTo(new PageCounts(0, 0, 1024, 0));
    ranges.checkInvariants();
  }

  @Test
  void stopUsingRange_useUseStop_leavesThePageAvailable() { // promise 9
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 2);
    range.useRange(1, 3);

    range.stopUsingRange(1, 2);

    assertThat(TestRanges.map(range)).isEqualTo("UAUF");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "8, 8",
    "3, 2",
    "9, 9",
    "5000, 10",
    "2147483647, 0",
    "2147483647, -1",
    "0, -5"
  })
  void spans_emptyOrInverted_succeedAndDoNothing(int start, int end) { // promise 6
    ShrinkablePageRange range = ranges.open(8);
    range.useRange(0, 1);

    assertThat(range.useRange(start, end)).isEqualTo(PageSpans.NONE);
    assertThat(range.tryUseRange(start, end)).isTrue();
    range.stopUsingRange(start, end);
    assertThat(range.states(start, end)).isEmpty();

    assertThat(TestRanges.map(range)).isEqualTo("UFFFFFFF");
    ranges.checkInvariants();
  }

  @ParameterizedTest
  @CsvSource({"0, 9", "8, 9", "-1, 1", "-1, 0", "7, 2147483647", "2147483646, 2147483647"})
  void spans_pastTheEndOrNegative_areRefusedAndDoNothing(int start, int end) { // promise 7
    ShrinkablePageRange range = ranges.open(8);
    range.useRange(0, 2);

    assertThatThrownBy(() -> range.useRange(start, end)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> range.tryUseRange(start, end)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> range.stopUsingRange(start, end))
        .isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> range.states(start, end)).isInstanceOf(PageFailure.PastEnd.class);

    assertThat(TestRanges.map(range)).isEqualTo("UUFFFFFF");
    ranges.checkInvariants();
  }

  @Test
  void useRange_writtenStoppedAndUsedAgain_keepsItsBytes() { // promises 10 and 11
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    assertThat(Pages.bytes(range, 0, 4)).containsOnly(0);
    byte[] bytes = new byte[4 * PAGE_SIZE];
    new Random(1).nextBytes(bytes);
    range.write(0, ByteBuffer.wrap(bytes));
    range.stopUsingRange(0, 4);

    assertThat(range.useRange(0, 4)).isEqualTo(PageSpans.NONE);

    assertThat(Pages.bytes(range, 0, 4)).isEqualTo(bytes);
  }

  @Test
  void useRange_reclaimedPages_readZerosAndAreFresh() { // promises 12 and 22
    ShrinkablePageRange range = ranges.open(6);
    range.useRange(0, 6);
    Pages.fill(range, 0, 6, 7);
    range.stopUsingRange(1, 4);

    assertThat(ranges.shrinker.scan(100).reclaimed()).isEqualTo(3);

    assertThat(TestRanges.map(range)).isEqualTo("UFFFUU");
    assertThat(range.useRange(0, 6)).hasToString("{[1, 4)}");
    assertThat(Pages.bytes(range, 1, 4)).containsOnly(0);
    assertThat(Pages.bytes(range, 0, 1)).containsOnly(7);
    assertThat(Pages.bytes(range, 4, 6)).containsOnly(7);
    ranges.checkInvariants();
  }

  @Test
  void scan_usedPagesAnyNumberOfTimes_leavesThemAlone() { // promise 13
    ShrinkablePageRange range = ranges.open(8);
    range.useRange(0, 8);
    Pages.fill(range, 0, 8, 7);

    for (int i = 0; i < 100; i++) {
      assertThat(ranges.shrinker.scan(1 + i)).isEqualTo(ScanResult.NOTHING);
    }

    assertThat(Pages.bytes(range, 0, 8)).containsOnly(7);
    assertThat(range.counts()).isEqualTo(new PageCounts(0, 0, 8, 0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"AU", "UA", "FU", "UF", "UAU", "UFU"})
  void write_acrossAPageThatIsNotUsed_writesNothing(String map) { // promise 15
    ShrinkablePageRange range = ranges.open(map.length());
    for (int page = 0; page < map.length(); page++) {
      if (map.charAt(page) != 'F') {
        range.useRange(page, page + 1);
        Pages.fill(range, page, page + 1, 7);
      }
      if (map.charAt(page) == 'A') {
        range.stopUsingRange(page, page + 1);
      }
    }
    int length = map.length() * PAGE_SIZE - 2;

    assertThatThrownBy(() -> range.write(1, ByteBuffer.wrap(new byte[length])))
        .isInstanceOf(PageFailure.NotUsed.class);
    assertThatThrownBy(() -> range.fillZero(1, length)).isInstanceOf(PageFailure.NotUsed.class);
    ByteBuffer target = ByteBuffer.allocate(length);
    assertThatThrownBy(() -> range.read(1, target)).isInstanceOf(PageFailure.NotUsed.class);

    assertThat(target.position()).isZero();
    assertThat(TestRanges.map(range)).isEqualTo(map);
    ranges.checkInvariants();
    range.useRange(0, map.length());
    for (int page = 0; page < map.length(); page++) {
      assertThat(Pages.bytes(range, page, page + 1)).containsOnly(map.charAt(page) == 'F' ? 0 : 7);
    }
  }

  @Test
  void copies_lengthZero_succeedAtAnyOffset() { // promise 16
    ShrinkablePageRange range = ranges.open(2);
    long end = 2L * PAGE_SIZE;
    for (long offset : new long[] {0, 1, end, end + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      range.read(offset, ByteBuffer.allocate(0));
      range.write(offset, ByteBuffer.allocate(0));
      range.fillZero(offset, 0);
    }

    assertThat(TestRanges.map(range)).isEqualTo("FF");
    ranges.checkInvariants();
  }

  @Test
  void copies_toTheEnd_succeedAndOnePastItIsRefused() { // promises 7 and 16
    ShrinkablePageRange range = ranges.open(2);
    range.useRange(0, 2);
    Pages.fill(range, 0, 2, 7);
    long end = 2L * PAGE_SIZE;

    range.write(end - 2, ByteBuffer.wrap(new byte[] {1, 2}));
    assertThat(Pages.bytesAt(range, end - 3, 3)).containsExactly(7, 1, 2);
    range.fillZero(end - 1, 1);
    assertThat(Pages.bytesAt(range, end - 3, 3)).containsExactly(7, 1, 0);

    for (long offset : new long[] {end - 1, end, end + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      ByteBuffer two = ByteBuffer.wrap(new byte[] {9, 9});
      assertThatThrownBy(() -> range.write(offset, two)).isInstanceOf(PageFailure.PastEnd.class);
      assertThatThrownBy(() -> range.read(offset, two)).isInstanceOf(PageFailure.PastEnd.class);
      assertThatThrownBy(() -> range.fillZero(offset, 2)).isInstanceOf(PageFailure.PastEnd.class);
      assertThat(two.remaining()).isEqualTo(2);
    }
    for (long length : new long[] {end + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> range.fillZero(0, length)).isInstanceOf(PageFailure.PastEnd.class);
      assertThatThrownBy(() -> range.fillZero(1, length)).isInstanceOf(PageFailure.PastEnd.class);
    }
    assertThat(Pages.bytesAt(range, end - 3, 3)).containsExactly(7, 1, 0);
    assertThat(Pages.bytesAt(range, 0, PAGE_SIZE)).containsOnly(7);
  }

  @ParameterizedTest
  @CsvSource({
    // first byte and one past the last, in pages and bytes
    "1, 0, 2, 0", "1, -1, 1, 1", "1, 0, 1, 1", "1, 1, 2, -1", "1, -1, 2, 0", "1, 0, 2, 1",
    "1, -1, 2, 1", "1, 1, 3, -1", "1, -1, 3, 1", "0, 1, 3, 0", "1, 0, 4, 0", "0, 0, 4, 0",
  })
  void copies_overPageEdges_moveExactlyTheseBytes(
      int startPage, int startByte, int endPage, int endByte) { // promise 17
    ShrinkablePageRange range = ranges.open(4);
    range.useRange(0, 4);
    Pages.fill(range, 0, 4, 7);
    int start = startPage * PAGE_SIZE + startByte;
    int end = endPage * PAGE_SIZE + endByte;
    byte[] bytes = new byte[end - start];
    new Random(start).nextBytes(bytes);
    byte[] expected = Pages.bytes(range, 0, 4);

    range.write(start, ByteBuffer.wrap(bytes));

    System.arraycopy(bytes, 0, expected, start, bytes.length);
    assertThat(Pages.bytes(range, 0, 4)).isEqualTo(expected);
    assertThat(Pages.bytesAt(range, start, end - start)).isEqualTo(bytes);

    range.fillZero(start, end - start);

    System.arraycopy(new byte[bytes.length], 0, expected, start, bytes.length);
    assertThat(Pages.bytes(range, 0, 4)).isEqualTo(expected);
  }

  @Test
  void bytes_ofOneRange_areNeverSeenInAnother() { // promise 18
    ShrinkablePageRange a = ranges.open(64);
    ShrinkablePageRange b = ranges.open(64);
    a.useRange(0, 64);
    Pages.fill(a, 0, 64, 7);
    b.useRange(0, 64);
    assertThat(Pages.bytes(b, 0, 64)).containsOnly(0);

    a.stopUsingRange(0, 64);
    ranges.shrinker.scan(64);
    b.stopUsingRange(0, 64);
    ranges.shrinker.scan(64);
    b.useRange(0, 64);
    assertThat(Pages.bytes(b, 0, 64)).containsOnly(0);

    a.useRange(0, 64);
    Pages.fill(a, 0, 64, 7);
    a.close();
    ShrinkablePageRange c = ranges.open(64);
    c.useRange(0, 64);
    assertThat(Pages.bytes(c, 0, 64)).containsOnly(0);
    assertThat(Pages.bytes(b, 0, 64)).containsOnly(0);
    ranges.checkInvariants();
  }
}
