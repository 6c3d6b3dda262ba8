package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The one-way half, and which sender is told that it floods that half. */
@Promise({36, 39})
final class OneWaySpaceTest {
  private static final int PAGES = 8;
  private static final int SENDER = 1;
  private static final int OTHER = 2;

  private final TestBuffers buffers = TestBuffers.ofPages(PAGES);
  private final BufferAllocator allocator = buffers.allocator;
  private final long half = buffers.pages(PAGES) / 2;

  @AfterEach
  void close() {
    buffers.checkInvariants();
    buffers.close();
  }

  private Buffer oneWay(long size, long sender) {
    return buffers.delivered(TestBuffers.oneWay(size, sender));
  }

  private List<Buffer> oneWays(int count, long size, long sender) {
    List<Buffer> made = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      made.add(oneWay(size, sender));
    }
    return made;
  }

  private long used() {
    return allocator.totals().oneWayUsedBytes();
  }

  @Test
  void charge_exactlyTheHalf_isTheMost() {
    Buffer all = oneWay(half, SENDER);
    assertThat(used()).isEqualTo(half);
    BufferTotals before = allocator.totals();
    String pages = buffers.map();

    assertThatThrownBy(() -> allocator.reserve(TestBuffers.oneWay(0, OTHER)))
        .isInstanceOfSatisfying(
            BufferFailure.NoOneWaySpace.class, e -> assertThat(e.hopeless()).isFalse())
        .hasMessage(
            ("no one-way space for 0 bytes (rounded 8): largest gap %d, free %d of %d, one-way %d"
                 + " of %d; one-way buffers may have half of a range: free some, or open a larger"
                 + " one, up to the server's --max-range-bytes")
                .formatted(half, half, 2 * half, half, half));

    assertThat(allocator.totals()).isEqualTo(before);
    assertThat(buffers.map()).isEqualTo(pages);
    buffers.delivered(half); // two-way: not charged
    buffers.free(all);
    assertThat(used()).isZero();
  }

  @Test
  void charge_moreThanTheHalf_isHopeless() {
    for (long size : new long[] {half + 1, Long.MAX_VALUE}) {
      assertThatThrownBy(() -> allocator.reserve(TestBuffers.oneWay(size, SENDER)))
          .isInstanceOfSatisfying(
              BufferFailure.NoOneWaySpace.class, e -> assertThat(e.hopeless()).isTrue())
          .hasMessageContaining("half of a range: open one of at least ")
          .hasMessageEndingWith("raise the server's --max-range-bytes if it is less");
    }

    assertThat(used()).isZero();
  }

  @Test
  void charge_isTheRoundedSpaceOnce_andGivenBackExactly() {
    Buffer odd = allocator.allocate(TestBuffers.oneWay(13, SENDER));
    Buffer empty = oneWay(0, OTHER);
    assertThat(used()).isEqualTo(16 + 8);

    allocator.abandon(odd);
    assertThat(used()).isEqualTo(8);
    allocator.abandon(odd);
    assertThat(used()).isEqualTo(8);
    buffers.free(empty);

    assertThat(used()).isZero();
  }

  @Test
  void charge_noGapThoughTheHalfIsFree_isNotMade() {
    Buffer wall = buffers.delivered(2 * half - 8);

    assertThatThrownBy(() -> allocator.reserve(TestBuffers.oneWay(16, SENDER)))
        .isInstanceOf(BufferFailure.NoSpace.class);

    assertThat(used()).isZero();
    buffers.free(wall);
  }

  @Test
  void spam_oneBufferOfMoreThanAQuarter_isFlaggedWhenLittleIsLeft() {
    // A tenth of the half is left at half * 9 / 10: the first buffer beyond it is flagged.
    long tenth = half / 10;
    Buffer exact = oneWay(roundedDown(half - tenth) - 8, SENDER);
    assertThat(exact.oneWaySpam()).isFalse();
    buffers.free(exact);

    Buffer one = oneWay(roundedDown(half - tenth) + 8, SENDER);

    assertThat(one.oneWaySpam()).isTrue();
  }

  private static long roundedDown(long bytes) {
    return bytes & -8;
  }

  @Test
  void spam_aQuarterExactly_isNotFlagged() {
    long quarter = half / 2;
    oneWay(quarter, OTHER);

    Buffer exact = oneWay(quarter, SENDER);

    assertThat(used()).isEqualTo(half);
    assertThat(exact.oneWaySpam()).isFalse();
  }

  @Test
  void spam_moreThanAQuarterInTwoBuffers_flagsTheSecondOnly() {
    Buffer first = oneWay(half / 2, SENDER);
    Buffer second = oneWay(half / 2 - 8, SENDER);

    assertThat(first.oneWaySpam()).isFalse();
    assertThat(second.oneWaySpam()).isTrue();
  }

  @Test
  void spam_aHundredSmallBuffers_flagsFromTheFiftyFirst() {
    oneWay(half / 2, OTHER);
    oneWay(half / 2 - 8 * 100 - 8, OTHER + 1); // little is left from now on

    List<Buffer> small = oneWays(100, 8, SENDER);

    assertThat(small.subList(0, 50)).noneMatch(Buffer::oneWaySpam);
    assertThat(small.subList(50, 100)).allMatch(Buffer::oneWaySpam);
  }

  @Test
  void spam_fiftyFreedOnes_areNotCounted() {
    oneWay(half / 2, OTHER);
    oneWay(half / 2 - 8 * 100, OTHER + 1);
    List<Buffer> first = oneWays(50, 8, SENDER);
    first.forEach(buffers::free);

    List<Buffer> later = oneWays(50, 8, SENDER);

    assertThat(later).noneMatch(Buffer::oneWaySpam);
    assertThat(oneWay(8, SENDER).oneWaySpam()).isTrue();
  }

  @Test
  void spam_manyOfOneSenderWhileMuchIsLeft_isNotFlagged() {
    assertThat(oneWays(100, 8, SENDER)).noneMatch(Buffer::oneWaySpam);
  }

  @Test
  void spam_ofOneSender_isNotHeldAgainstAnother() {
    oneWays(60, 8, OTHER);
    oneWay(half / 2, OTHER + 1);
    oneWay(half / 2 - 60 * 8 - 16, OTHER + 2);

    Buffer innocent = oneWay(8, SENDER);
    Buffer guilty = oneWay(8, OTHER);

    assertThat(innocent.oneWaySpam()).isFalse();
    assertThat(guilty.oneWaySpam()).isTrue();
  }

  @Test
  void spam_ofTwoWayBuffers_isNone() {
    oneWay(half - 8, SENDER);

    assertThat(buffers.delivered(half / 2 + 8).oneWaySpam()).isFalse();
  }
}
