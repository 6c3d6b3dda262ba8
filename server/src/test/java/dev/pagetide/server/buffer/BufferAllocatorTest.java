package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.page.PageFailure;
import dev.pagetide.testkit.Promise;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Where buffers lie, and what a refused one leaves. */
@Promise({34, 35, 37, 40})
final class BufferAllocatorTest {
  private static final int PAGES = 4;

  private final TestBuffers buffers = TestBuffers.ofPages(PAGES);
  private final BufferAllocator allocator = buffers.allocator;

  @AfterEach
  void close() {
    buffers.checkInvariants();
    buffers.close();
  }

  @Test
  void reserve_ofOddSizes_takesMultiplesOfEight() {
    Buffer one = buffers.allocate(1);
    Buffer eight = buffers.allocate(8);
    Buffer nine = buffers.allocate(9);

    assertThat(one.offset()).isZero();
    assertThat(one.size()).isEqualTo(1);
    assertThat(one.spaceBytes()).isEqualTo(8);
    assertThat(eight.offset()).isEqualTo(8);
    assertThat(eight.spaceBytes()).isEqualTo(8);
    assertThat(nine.offset()).isEqualTo(16);
    assertThat(nine.spaceBytes()).isEqualTo(16);
    assertThat(allocator.totals().buildingBytes()).isEqualTo(32);
    assertThat(allocator.totals().freeBytes()).isEqualTo(buffers.pages(PAGES) - 32);
  }

  @Test
  void reserve_emptyBuffers_haveOffsetsOfTheirOwn() {
    Buffer first = buffers.delivered(0);
    Buffer second = buffers.delivered(0);

    assertThat(first.offset()).isZero();
    assertThat(second.offset()).isEqualTo(8);
    assertThat(first.size()).isZero();
    assertThat(first.spaceBytes()).isEqualTo(8);
    buffers.free(first);
    assertThat(allocator.delivered()).containsExactly(second);
  }

  @Test
  void reserve_severalGapsFit_takesTheSmallest() {
    Buffer large = buffers.delivered(800);
    Buffer wall = buffers.delivered(8);
    Buffer small = buffers.delivered(160);
    buffers.delivered(8);
    buffers.free(large, small);

    Buffer fitted = buffers.allocate(100);

    assertThat(fitted.offset()).isEqualTo(small.offset());
    assertThat(fitted.offset()).isGreaterThan(wall.offset());
  }

  @Test
  void reserve_gapsOfOneSize_takesTheLowest() {
    Buffer first = buffers.delivered(160);
    buffers.delivered(8);
    Buffer second = buffers.delivered(160);
    buffers.delivered(8);
    buffers.free(second, first);

    assertThat(buffers.allocate(160).offset()).isEqualTo(first.offset());
    assertThat(buffers.allocate(160).offset()).isEqualTo(second.offset());
  }

  @Test
  void free_betweenGaps_makesOneGap() {
    Buffer first = buffers.delivered(100);
    Buffer second = buffers.delivered(200);
    Buffer third = buffers.delivered(300);
    Buffer wall = buffers.delivered(8);

    buffers.free(first, third, second);

    assertThat(buffers.allocate(wall.offset()).offset()).isZero();
  }

  @Test
  void free_all_leavesOneGapOfAllBytes() {
    Buffer whole = buffers.delivered(buffers.pages(PAGES));
    assertThat(allocator.totals().freeBytes()).isZero();
    assertThat(allocator.totals().largestGap()).isZero();

    buffers.free(whole);

    assertThat(allocator.totals())
        .isEqualTo(
            new BufferTotals(
                0,
                0,
                0,
                0,
                0,
                0,
                buffers.pages(PAGES),
                buffers.pages(PAGES),
                0,
                buffers.pages(PAGES) / 2));
  }

  @Test
  void reserve_noGapIsLargeEnough_tellsTheNumbersAndChangesNothing() {
    Buffer first = buffers.delivered(buffers.pages(2));
    buffers.delivered(8);
    buffers.free(first);
    BufferTotals before = allocator.totals();
    String pages = buffers.map();
    long gap = buffers.pages(2);
    long total = buffers.pages(PAGES);

    assertThatThrownBy(() -> allocator.reserve(TestBuffers.twoWay(gap + 1)))
        .isInstanceOfSatisfying(
            BufferFailure.NoSpace.class, e -> assertThat(e.hopeless()).isFalse())
        .hasMessage(
            ("no gap for %d bytes (rounded %d): largest gap %d, free %d of %d, one-way 0 of %d;"
                    + " free buffers, or open a larger range, up to the server's --max-range-bytes")
                .formatted(gap + 1, gap + 8, gap, total - 8, total, total / 2));

    assertThat(allocator.totals()).isEqualTo(before);
    assertThat(buffers.map()).isEqualTo(pages);
  }

  @Test
  void reserve_moreThanTheRange_isHopeless() {
    for (long size : new long[] {buffers.pages(PAGES) + 1, Long.MAX_VALUE - 7, Long.MAX_VALUE}) {
      assertThatThrownBy(() -> allocator.reserve(TestBuffers.twoWay(size)))
          .isInstanceOfSatisfying(
              BufferFailure.NoSpace.class, e -> assertThat(e.hopeless()).isTrue())
          .hasMessageContaining("no gap for " + size + " bytes (rounded ")
          .hasMessageContaining("; open a range of at least ")
          .hasMessageEndingWith("raise the server's --max-range-bytes if it is less");
    }
    assertThat(buffers.map()).isEqualTo("FFFF");
  }

  @Test
  void request_negativeSize_isRefused() {
    assertThatThrownBy(() -> TestBuffers.twoWay(-1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("size=-1 is negative");
  }

  @Test
  void reserve_asManyBuffersAsThereMayBe_namesTheOption() {
    BufferAllocator two = new BufferAllocator(buffers.range, 2);
    Buffer first = two.allocate(TestBuffers.twoWay(1));
    Buffer second = two.allocate(TestBuffers.oneWay(1, 1));
    BufferTotals before = two.totals();

    assertThatThrownBy(() -> two.reserve(TestBuffers.oneWay(1, 1)))
        .isInstanceOf(BufferFailure.TooMany.class)
        .hasMessage(
            "this range has 2 live buffers, as many as it may; free some, or raise --max-buffers"
                + " (now 2)");

    assertThat(two.totals()).isEqualTo(before);
    two.abandon(first);
    assertThat(two.reserve(TestBuffers.twoWay(1)).offset()).isZero();
    two.deliver(second);
    two.free(second.offset());
    two.checkInvariants();
    two.close();
    buffers.range.stopUsingRange(0, PAGES);
  }

  @Test
  void allocate_noMemoryForItsPages_changesNothing() {
    try (TestBuffers poor = TestBuffers.withMemoryFor(2, PAGES)) {
      Buffer held = poor.delivered(10);
      BufferTotals before = poor.allocator.totals();

      assertThatThrownBy(() -> poor.allocator.allocate(TestBuffers.oneWay(poor.pages(2), 1)))
          .isInstanceOf(PageFailure.NoMemory.class);

      assertThat(poor.allocator.totals()).isEqualTo(before);
      assertThat(poor.map()).isEqualTo("UFFF");
      assertThat(poor.bytesOf(held)).containsOnly(0);
      poor.checkInvariants();
    }
  }

  @Test
  void delivered_freedAndBuilding_areNotAmongThem() {
    Buffer freed = buffers.delivered(8);
    Buffer second = buffers.delivered(8);
    Buffer building = buffers.allocate(8);
    Buffer third = buffers.delivered(8);
    buffers.free(freed);
    Buffer first = buffers.delivered(8);

    assertThat(allocator.delivered()).containsExactly(first, second, third);
    assertThat(allocator.totals().buildingBuffers()).isEqualTo(1);
    assertThat(allocator.totals().deliveredBuffers()).isEqualTo(3);
    assertThat(allocator.totals().deliveredBytes()).isEqualTo(24);
    assertThat(building.hasPages()).isTrue();
  }

  @Test
  void steps_inTheWrongOrder_areErrorsOfTheCaller() {
    Buffer pending = allocator.reserve(TestBuffers.twoWay(8));
    Buffer delivered = buffers.delivered(8);

    assertThatThrownBy(() -> allocator.deliver(pending))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("has no pages");
    assertThatThrownBy(() -> allocator.deliver(delivered))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is DELIVERED, not BUILDING");
    assertThatThrownBy(() -> allocator.abandon(delivered))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> allocator.gainedPages(delivered))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> allocator.finishFree(delivered))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> allocator.unpin(delivered))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is not pinned");

    assertThat(allocator.totals().buildingBuffers()).isEqualTo(1);
    assertThat(allocator.delivered()).containsExactly(delivered);
  }

  @Test
  void buffer_ofAnotherAllocator_isRefused() {
    try (TestBuffers others = TestBuffers.ofPages(1)) {
      Buffer foreign = others.allocate(8);

      assertThatThrownBy(() -> allocator.deliver(foreign))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> allocator.abandon(foreign))
          .isInstanceOf(IllegalStateException.class);

      others.allocator.deliver(foreign);
    }
  }
}
