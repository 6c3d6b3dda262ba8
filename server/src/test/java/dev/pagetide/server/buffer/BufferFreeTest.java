package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.page.PageFailure;
import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who may free what and when, pins, and the zeroes of clear_on_free. */
@Promise({19, 38})
final class BufferFreeTest {
  private static final int PAGES = 4;

  private final TestBuffers buffers = TestBuffers.ofPages(PAGES);
  private final BufferAllocator allocator = buffers.allocator;

  @AfterEach
  void close() {
    buffers.checkInvariants();
    buffers.close();
  }

  private void expectNoBuffer(long offset) {
    BufferTotals before = allocator.totals();
    assertThatThrownBy(() -> allocator.free(offset))
        .isInstanceOf(BufferFailure.NotABuffer.class)
        .hasMessage(
            ("offset=%s is where no live buffer starts: it was freed before, or never was "
                    + "one; free each buffer once, by the offset it came with")
                .formatted(Long.toUnsignedString(offset)));
    assertThat(allocator.totals()).isEqualTo(before);
  }

  @Test
  void free_twice_isRefusedTheSecondTime() {
    Buffer buffer = buffers.delivered(24);
    buffers.free(buffer);

    expectNoBuffer(buffer.offset());
  }

  @Test
  void free_elsewhereThanAtAStart_isRefused() {
    Buffer buffer = buffers.delivered(24);

    for (long offset : new long[] {1, 8, 24, buffers.pages(PAGES), -1, Long.MIN_VALUE}) {
      expectNoBuffer(offset);
    }
    assertThat(allocator.delivered()).containsExactly(buffer);
  }

  @Test
  void free_whileItIsBuilt_isBusy() {
    Buffer building = buffers.allocate(24);
    Buffer pending = allocator.reserve(TestBuffers.twoWay(buffers.pages(1)));

    assertThatThrownBy(() -> allocator.free(building.offset()))
        .isInstanceOf(BufferFailure.Busy.class)
        .hasMessage("the buffer at offset=0 is being filled; free it after it was delivered");
    assertThatThrownBy(() -> allocator.beginFree(pending.offset()))
        .isInstanceOf(BufferFailure.Busy.class);

    assertThat(allocator.totals().buildingBuffers()).isEqualTo(2);
    allocator.deliver(building);
    assertThat(allocator.beginFree(building.offset())).isNull();
  }

  @Test
  void free_whilePinned_isBusyUntilTheLastUnpin() {
    Buffer buffer = buffers.delivered(24);
    assertThat(allocator.pin(buffer.offset(), 24)).isSameAs(buffer);
    assertThat(allocator.pin(buffer.offset() + 8, 3)).isSameAs(buffer);

    assertThatThrownBy(() -> allocator.free(buffer.offset()))
        .isInstanceOf(BufferFailure.Busy.class)
        .hasMessage(
            "the buffer at offset=0 is being copied (pins=2); free it after what names it was"
                + " answered");
    allocator.unpin(buffer);
    assertThatThrownBy(() -> allocator.free(buffer.offset()))
        .isInstanceOf(BufferFailure.Busy.class);
    assertThat(buffers.map()).isEqualTo("UFFF");
    allocator.unpin(buffer);
    buffers.free(buffer);

    assertThat(buffers.map()).isEqualTo("AFFF");
    assertThatThrownBy(() -> allocator.unpin(buffer)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void pin_bytesOfADeliveredBuffer_findsItToItsLastByte() {
    Buffer first = buffers.delivered(24);
    Buffer odd = buffers.delivered(13);
    Buffer empty = buffers.delivered(0);

    assertThat(allocator.pin(0, 24)).isSameAs(first);
    assertThat(allocator.pin(24, 13)).isSameAs(odd);
    assertThat(allocator.pin(36, 1)).isSameAs(odd);
    assertThat(allocator.pin(37, 0)).isSameAs(odd);
    assertThat(allocator.pin(empty.offset(), 0)).isSameAs(empty);
  }

  @Test
  void pin_zeroBytesAtTheEndOfAFullBuffer_findsItWhateverFollows() {
    Buffer full = buffers.delivered(24);
    assertThat(allocator.pin(24, 0)).isSameAs(full);

    Buffer next = buffers.allocate(8);
    assertThat(allocator.pin(24, 0)).isSameAs(full);

    allocator.deliver(next);
    assertThat(allocator.pin(24, 0)).isSameAs(next);
  }

  @Test
  void pin_bytesThatAreNotAllInOneDeliveredBuffer_isRefused() {
    buffers.delivered(24);
    buffers.delivered(13);
    Buffer building = buffers.allocate(8);
    Buffer cleared = buffers.delivered(TestBuffers.toClear(8));
    Buffer clearing = allocator.beginFree(cleared.offset());

    for (List<Long> slice :
        List.of(
            List.of(0L, 25L),
            List.of(23L, 2L),
            List.of(24L, 14L),
            List.of(37L, 1L),
            List.of(38L, 0L),
            List.of(building.offset(), 1L),
            List.of(building.offset(), 0L),
            List.of(cleared.offset(), 8L),
            List.of(buffers.pages(1), 0L),
            List.of(0L, -1L),
            List.of(8L, Long.MAX_VALUE),
            List.of(-1L, 1L),
            List.of(-8L, 16L))) {
      long offset = slice.get(0);
      long length = slice.get(1);
      assertThatThrownBy(() -> allocator.pin(offset, length))
          .isInstanceOf(BufferFailure.NotABuffer.class)
          .hasMessage(
              ("bytes at offset=%s, length=%s are not all in one delivered buffer; name bytes "
                      + "of a buffer that was delivered and is not freed")
                  .formatted(Long.toUnsignedString(offset), Long.toUnsignedString(length)));
    }
    buffers.free(allocator.delivered().toArray(Buffer[]::new)); // none is pinned
    allocator.finishFree(Objects.requireNonNull(clearing));
  }

  @Test
  void free_toBeCleared_zeroesItsSpaceAndNoOthers() {
    Buffer before = buffers.delivered(20);
    Buffer secret = buffers.delivered(TestBuffers.toClear(buffers.pages(1) + 13));
    Buffer behind = buffers.delivered(20);
    buffers.fill(before, 1);
    buffers.fill(secret, 2);
    buffers.fill(behind, 3);

    buffers.free(secret);

    assertThat(buffers.bytesOf(before)).isEqualTo(TestBuffers.filled(before, 1));
    assertThat(buffers.bytesOf(behind)).isEqualTo(TestBuffers.filled(behind, 3));
    Buffer reused = buffers.delivered(secret.spaceBytes());
    assertThat(reused.offset()).isEqualTo(secret.offset());
    assertThat(buffers.bytesOf(reused)).containsOnly(0);
    assertThat(buffers.shrinker.counters().reclaimed()).isZero();
  }

  @Test
  void free_notToBeCleared_leavesItsBytes() {
    Buffer buffer = buffers.delivered(16);
    buffers.fill(buffer, 2);

    buffers.free(buffer);

    assertThat(buffers.bytesOf(buffers.allocate(16))).containsOnly(2);
  }

  @Test
  void beginFree_toBeCleared_keepsSpaceAndPagesUntilItIsFinished() {
    Buffer secret = buffers.delivered(TestBuffers.toClear(24));
    buffers.fill(secret, 2);

    assertThat(allocator.beginFree(secret.offset())).isSameAs(secret);

    assertThat(buffers.map()).isEqualTo("UFFF");
    assertThat(allocator.totals().clearingBuffers()).isEqualTo(1);
    assertThat(allocator.totals().clearingBytes()).isEqualTo(24);
    assertThat(allocator.delivered()).isEmpty();
    expectNoBuffer(secret.offset());
    Buffer elsewhere = buffers.allocate(24);
    assertThat(elsewhere.offset()).isEqualTo(24);
    allocator.abandon(elsewhere);
    assertThat(buffers.map()).isEqualTo("UFFF");
    allocator.finishFree(secret);
    assertThat(buffers.map()).isEqualTo("AFFF");
    assertThat(allocator.totals().freeBytes()).isEqualTo(buffers.pages(PAGES));
    assertThatThrownBy(() -> allocator.finishFree(secret))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void abandon_toBeCleared_leavesNoHalfOfASecret() {
    Buffer secret = allocator.allocate(TestBuffers.toClear(24));
    buffers.fill(secret, 2);

    assertThat(allocator.abandon(secret)).isSameAs(secret);
    assertThat(allocator.totals().clearingBytes()).isEqualTo(24);
    allocator.finishFree(secret);

    assertThat(allocator.totals().freeBytes()).isEqualTo(buffers.pages(PAGES));
    assertThat(buffers.map()).isEqualTo("AFFF");
    assertThat(buffers.bytesOf(buffers.allocate(24))).containsOnly(0);
  }

  @Test
  void abandon_pendingAndToBeCleared_needsNoPage() {
    Buffer pending = allocator.reserve(TestBuffers.toClear(24));

    assertThat(allocator.abandon(pending)).isNull();
    assertThat(allocator.abandon(pending)).isNull();

    assertThat(buffers.map()).isEqualTo("FFFF");
    assertThat(allocator.totals().freeBytes()).isEqualTo(buffers.pages(PAGES));
  }

  @Test
  void finishFree_zeroesAreRefused_keepsTheSpaceUntilTheyAreNot() {
    Buffer secret = buffers.delivered(TestBuffers.toClear(24));
    allocator.beginFree(secret.offset());
    buffers.range.stopUsingRange(0, 1); // behind the allocator's back, so that the range refuses

    assertThatThrownBy(() -> allocator.finishFree(secret)).isInstanceOf(PageFailure.NotUsed.class);
    assertThat(allocator.totals().clearingBytes()).isEqualTo(24);
    var _ = buffers.range.useRange(0, 1);
    allocator.finishFree(secret);

    assertThat(allocator.totals().freeBytes()).isEqualTo(buffers.pages(PAGES));
    assertThat(buffers.map()).isEqualTo("AFFF");
  }

  @Test
  void abandon_zeroesAreRefused_givesTheSpaceToNobodyUntilTheyAreNot() {
    Buffer secret = allocator.allocate(TestBuffers.toClear(24));
    assertThat(allocator.abandon(secret)).isSameAs(secret);
    buffers.range.stopUsingRange(0, 1);

    assertThatThrownBy(() -> allocator.finishFree(secret)).isInstanceOf(PageFailure.NotUsed.class);

    assertThat(allocator.totals().clearingBytes()).isEqualTo(24);
    assertThat(buffers.allocate(24).offset()).isEqualTo(24);
    expectNoBuffer(secret.offset());
    var _ = buffers.range.useRange(0, 1);
    allocator.finishFree(secret);
    assertThat(allocator.totals().clearingBytes()).isZero();
  }
}
