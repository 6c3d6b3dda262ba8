package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.os.Memfd;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.testkit.Promise;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Numbers that no client library lets through, and what else a client does not see of a new range.
 * Everything else about them is in the conformance suite.
 */
final class RegisterTest {
  private static final int PAGE_SIZE = Memfd.systemPageSize();

  private final TestRanges ranges = TestRanges.unlimited();

  @AfterEach
  void close() {
    ranges.close();
    assertThat(ranges.budget.chargedPages()).isZero();
  }

  private ShrinkablePageRange register(long sizeBytes) {
    RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, TestRanges.MAX_RANGE_BYTES, 42);
    ShrinkablePageRange range =
        ShrinkablePageRange.register(
            99, RangeMode.PAGES, sizeBytes, config, ranges.budget, ranges.shrinker);
    ranges.ranges.add(range);
    return range;
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

  @Test
  @Promise(8)
  void register_lessThanAPage_saysHowMuchToAskFor() {
    assertThatThrownBy(() -> register(PAGE_SIZE - 1))
        .isInstanceOf(PageFailure.SizeInvalid.class)
        .hasMessageContaining("ask for at least " + PAGE_SIZE + " bytes");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, -4096, Long.MIN_VALUE})
  @Promise(8)
  void register_unsignedSize_grantsTheMaximum(long sizeBytes) {
    assertThat(register(sizeBytes).pageCount()).isEqualTo((4 << 20) / PAGE_SIZE);
  }

  @Test
  void register_idUsedBefore_leavesTheFirstAndNothingOfTheSecond() {
    ShrinkablePageRange first = register(10L * PAGE_SIZE);
    first.useRange(0, 1);
    long charged = ranges.budget.chargedPages();

    assertThatThrownBy(() -> register(5L * PAGE_SIZE)).isInstanceOf(IllegalStateException.class);

    assertThat(ranges.budget.chargedPages()).isEqualTo(charged);
    assertThat(ranges.shrinker.bookkeepingPages())
        .isEqualTo(first.file().layout().bookkeepingPages());
    assertThat(TestRanges.map(first)).startsWith("U");
    ranges.checkInvariants();
  }

  @ParameterizedTest
  @CsvSource({"3, 2", "2147483647, -1", "0, -5", "-1, -1"})
  @Promise(6)
  void spans_invertedAndNegative_succeedAndDoNothing(int start, int end) {
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
  @CsvSource({"0, 9", "8, 9", "-1, 1", "-1, 0", "7, 2147483647"})
  @Promise(7)
  void spans_pastTheEndOrNegative_areRefusedByAllVerbsOfThisProcess(int start, int end) {
    ShrinkablePageRange range = ranges.open(8);
    range.useRange(0, 2);

    assertThatThrownBy(() -> range.tryUseRange(start, end)).isInstanceOf(PageFailure.PastEnd.class);
    assertThatThrownBy(() -> range.states(start, end)).isInstanceOf(PageFailure.PastEnd.class);

    assertThat(TestRanges.map(range)).isEqualTo("UUFFFFFF");
    ranges.checkInvariants();
  }

  @Test
  @Promise({15, 16})
  void copies_refused_leaveTheBufferWhereItWas() {
    ShrinkablePageRange range = ranges.open(2);
    range.useRange(0, 1);
    ByteBuffer two = ByteBuffer.wrap(new byte[] {9, 9});

    for (long offset : new long[] {PAGE_SIZE - 1, 2L * PAGE_SIZE - 1, -1, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> range.write(offset, two)).isInstanceOf(PageFailure.class);
      assertThatThrownBy(() -> range.read(offset, two)).isInstanceOf(PageFailure.class);
    }

    assertThat(two.remaining()).isEqualTo(2);
    assertThat(two.array()).containsOnly(9);
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE})
  @Promise(16)
  void copies_lengthZeroAtAnUnsignedOffset_succeed(long offset) {
    ShrinkablePageRange range = ranges.open(2);

    range.read(offset, ByteBuffer.allocate(0));
    range.write(offset, ByteBuffer.allocate(0));
    range.fillZero(offset, 0);

    assertThat(TestRanges.map(range)).isEqualTo("FF");
    ranges.checkInvariants();
  }
}
