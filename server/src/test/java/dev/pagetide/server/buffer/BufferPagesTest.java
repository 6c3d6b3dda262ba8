package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.PendingUse;
import dev.pagetide.testkit.Promise;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A page is USED exactly when a live buffer overlaps it, also while that buffer waits for the
 * memory of its pages.
 */
@Promise(33)
final class BufferPagesTest {
  private static final int PAGES = 4;

  private final TestBuffers buffers = TestBuffers.ofPages(PAGES);
  private final BufferAllocator allocator = buffers.allocator;
  private final long page = buffers.pages(1);

  @AfterEach
  void close() {
    buffers.checkInvariants();
    buffers.close();
  }

  private Buffer reserve(long size) {
    return allocator.reserve(TestBuffers.twoWay(size));
  }

  /** What the use of a pending buffer's pages comes to, when it succeeds. */
  private void gain(Buffer pending) {
    var _ = buffers.range.useRange(pending.pages());
    allocator.gainedPages(pending);
  }

  @Test
  void free_smallBufferAloneInItsPage_stopsThePage() {
    Buffer below = buffers.delivered(page);
    buffers.delivered(104);
    Buffer small = buffers.delivered(16);
    buffers.delivered(page - 120);

    buffers.free(below);
    assertThat(buffers.map()).isEqualTo("AUFF");
    allocator.delivered().stream().filter(b -> b != small).toList().forEach(buffers::free);
    assertThat(buffers.map()).isEqualTo("AUFF");
    buffers.free(small);

    assertThat(buffers.map()).isEqualTo("AAFF");
  }

  @Test
  void free_smallBufferBetweenNeighboursInItsPage_stopsNothing() {
    Buffer first = buffers.delivered(8);
    Buffer middle = buffers.delivered(8);
    Buffer last = buffers.delivered(8);

    buffers.free(middle);
    assertThat(buffers.map()).isEqualTo("UFFF");
    buffers.free(first);
    assertThat(buffers.map()).isEqualTo("UFFF");
    buffers.free(last);

    assertThat(buffers.map()).isEqualTo("AFFF");
  }

  @Test
  void free_bufferOverAnEdge_stopsTheSideWithoutNeighbour() {
    Buffer first = buffers.delivered(page - 8);
    Buffer over = buffers.delivered(16);
    Buffer last = buffers.delivered(page - 8);

    buffers.free(first);
    assertThat(buffers.map()).isEqualTo("UUFF");
    buffers.free(over);
    assertThat(buffers.map()).isEqualTo("AUFF");
    buffers.free(last);

    assertThat(buffers.map()).isEqualTo("AAFF");
  }

  @Test
  void free_largeBuffer_stopsItsInnerPagesOnly() {
    Buffer first = buffers.delivered(8);
    Buffer large = buffers.delivered(4 * page - 16);
    Buffer last = buffers.delivered(8);
    assertThat(buffers.map()).isEqualTo("UUUU");

    buffers.free(large);

    assertThat(buffers.map()).isEqualTo("UAAU");
    buffers.free(last, first);
    assertThat(buffers.map()).isEqualTo("AAAA");
  }

  @Test
  void free_neighboursEndAtItsPages_stopsThemAll() {
    buffers.delivered(page);
    Buffer exact = buffers.delivered(2 * page);
    buffers.delivered(page);

    buffers.free(exact);

    assertThat(buffers.map()).isEqualTo("UAAU");
  }

  @Test
  void pages_ofABuffer_areThoseItOverlaps() {
    buffers.delivered(page - 8);

    assertThat(reserve(8).pages()).hasToString("{[0, 1)}");
    assertThat(reserve(8).pages()).hasToString("{[1, 2)}");
    assertThat(reserve(2 * page - 8).pages()).hasToString("{[1, 3)}");
    assertThat(reserve(0).pages()).hasToString("{[3, 4)}");
  }

  @Test
  void reserve_pagesAreResident_usesThemAtOnce() {
    buffers.free(buffers.delivered(2 * page));
    long allocated = buffers.shrinker.counters().allocated();

    Buffer warm = reserve(2 * page);

    assertThat(warm.hasPages()).isTrue();
    assertThat(buffers.map()).isEqualTo("UUFF");
    assertThat(buffers.shrinker.counters().allocated()).isEqualTo(allocated);
  }

  @Test
  void reserve_onePageHasNoMemory_changesNoPage() {
    buffers.free(buffers.delivered(page));

    Buffer pending = reserve(2 * page);

    assertThat(pending.hasPages()).isFalse();
    assertThat(buffers.map()).isEqualTo("AFFF");
    buffers.checkInvariants();
    gain(pending);
    assertThat(pending.hasPages()).isTrue();
    assertThat(buffers.map()).isEqualTo("UUFF");
    allocator.deliver(pending);
    buffers.free(pending);
    assertThat(buffers.map()).isEqualTo("AAFF");
  }

  @Test
  void abandon_pendingBufferAlone_leavesItsPagesAsTheyWere() {
    buffers.free(buffers.delivered(page));
    Buffer pending = reserve(2 * page);

    allocator.abandon(pending);

    assertThat(buffers.map()).isEqualTo("AFFF");
    assertThat(allocator.totals().freeBytes()).isEqualTo(4 * page);
  }

  @Test
  void free_neighbourOfAPendingBuffer_leavesTheSharedPageToIt() {
    Buffer neighbour = buffers.delivered(page + 8);
    Buffer pending = reserve(page);
    assertThat(pending.hasPages()).isFalse();

    buffers.free(neighbour);
    assertThat(buffers.map()).isEqualTo("AUFF");
    buffers.checkInvariants();

    gain(pending);
    assertThat(buffers.map()).isEqualTo("AUUF");
  }

  @Test
  void abandon_pendingBufferWhoseNeighbourIsGone_stopsTheSharedPage() {
    Buffer neighbour = buffers.delivered(page + 8);
    Buffer pending = reserve(page);
    buffers.free(neighbour);

    allocator.abandon(pending);

    assertThat(buffers.map()).isEqualTo("AAFF");
  }

  @Test
  void abandon_pendingBufferBesideALiveOne_leavesItThePage() {
    Buffer neighbour = buffers.delivered(8);
    Buffer pending = reserve(page);
    Buffer warm = reserve(8);
    assertThat(warm.offset()).isGreaterThan(page);
    assertThat(warm.hasPages()).isFalse(); // page 1 is the pending one's, which has none

    allocator.abandon(pending);
    assertThat(buffers.map()).isEqualTo("UFFF");

    gain(warm);
    assertThat(buffers.map()).isEqualTo("UUFF");
    buffers.free(neighbour);
    assertThat(buffers.map()).isEqualTo("AUFF");
  }

  @Test
  void abandon_firstOfTwoPendingInOnePage_leavesItToTheOther() {
    Buffer first = reserve(8);
    Buffer second = reserve(8);

    gain(second);
    allocator.abandon(first);
    assertThat(buffers.map()).isEqualTo("UFFF");
    allocator.deliver(second);
    buffers.free(second);

    assertThat(buffers.map()).isEqualTo("AFFF");
  }

  @Test
  void abandon_afterASecondUserOfItsPageIsFreed_stopsThePageOfBoth() {
    Buffer first = reserve(8);
    Buffer second = reserve(8);
    gain(second);
    allocator.deliver(second);

    buffers.free(second);
    assertThat(buffers.map()).isEqualTo("UFFF"); // the first's now, which may be about to gain it
    allocator.abandon(first);

    assertThat(buffers.map()).isEqualTo("AFFF");
  }

  @Test
  void waitingUse_thatFails_canBeAbandonedWhateverHappenedMeanwhile() {
    try (TestBuffers poor = TestBuffers.withMemoryFor(2, PAGES)) {
      Buffer neighbour = poor.delivered(2 * page - 8);
      Buffer pending = poor.allocator.reserve(TestBuffers.twoWay(page));
      PendingUse use = new PendingUse(poor.range, pending.pages(), 0, Runnable::run);

      use.run();
      poor.allocator.checkInvariants();
      poor.free(neighbour);
      assertThat(use.result()).isCompletedExceptionally();
      poor.allocator.abandon(pending);

      assertThat(poor.map()).isEqualTo("AAFF");
      assertThat(poor.allocator.totals().freeBytes()).isEqualTo(4 * page);
      poor.checkInvariants();
    }
  }

  @Test
  void waitingUse_thatWaitsForABuffersPages_getsThem() {
    try (TestBuffers poor = TestBuffers.withMemoryFor(2, PAGES)) {
      Buffer neighbour = poor.delivered(2 * page - 8);
      Buffer pending = poor.allocator.reserve(TestBuffers.twoWay(page));
      PendingUse use =
          new PendingUse(poor.range, pending.pages(), Long.MAX_VALUE / 2, Runnable::run);
      use.run();
      assertThat(use.result()).isNotDone();

      poor.free(neighbour);
      poor.shrinker.allocationQueue().serveWhile(() -> !use.result().isDone());

      assertThat(use.result()).isCompleted();
      poor.allocator.gainedPages(pending);
      assertThat(poor.map()).isEqualTo("FUUF");
      poor.checkInvariants();
    }
  }

  @Test
  void scan_whileBuffersLive_takesNoPageOfTheirs() {
    Buffer first = buffers.delivered(page);
    Buffer second = buffers.delivered(page + 8);
    buffers.fill(second, 5);
    buffers.free(first);

    assertThat(buffers.shrinker.scan(PAGES).reclaimed()).isEqualTo(1);

    assertThat(buffers.map()).isEqualTo("FUUF");
    assertThat(buffers.bytesOf(second)).isEqualTo(TestBuffers.filled(second, 5));
  }

  @Test
  void rangeClosed_whateverIsCalled_leavesNothingTaken() {
    try (TestBuffers ended = TestBuffers.ofPages(PAGES)) {
      Buffer building = ended.allocate(8);
      Buffer pending = ended.allocator.reserve(TestBuffers.oneWay(page, 1));
      Buffer cleared = ended.delivered(TestBuffers.toClear(8));
      Buffer toClear = ended.allocator.beginFree(cleared.offset());
      ended.range.close();

      ended.allocator.abandon(building);
      ended.allocator.abandon(pending);
      ended.allocator.finishFree(cleared);
      assertThat(toClear).isSameAs(cleared);
      assertThatThrownBy(() -> ended.allocator.reserve(TestBuffers.twoWay(8)))
          .isInstanceOf(PageFailure.Closed.class);
      assertThatThrownBy(() -> ended.allocator.allocate(TestBuffers.oneWay(8, 1)))
          .isInstanceOf(PageFailure.Closed.class);

      assertThat(ended.allocator.totals().freeBytes()).isEqualTo(4 * page);
      assertThat(ended.allocator.totals().oneWayUsedBytes()).isZero();
    }
  }

  @Test
  void close_buffersInEveryState_endsThemAll() {
    try (TestBuffers ended = TestBuffers.ofPages(PAGES)) {
      BufferAllocator closed = ended.allocator;
      Buffer building = ended.allocate(8);
      Buffer delivered = ended.delivered(8);
      closed.pin(delivered.offset(), 8);
      Buffer cleared = ended.delivered(TestBuffers.toClear(8));
      closed.beginFree(cleared.offset());
      Buffer pending = closed.reserve(TestBuffers.oneWay(page, 1));

      closed.close();
      closed.close();

      closed.gainedPages(pending);
      closed.abandon(building);
      closed.unpin(delivered);
      closed.finishFree(cleared);
      assertThat(closed.delivered()).isEmpty();
      assertThat(closed.totals().freeBytes()).isEqualTo(4 * page);
      assertThat(closed.totals().oneWayUsedBytes()).isZero();
      assertThat(ended.range.isClosed()).isFalse();
      assertThatThrownBy(() -> closed.reserve(TestBuffers.twoWay(8)))
          .isInstanceOf(PageFailure.Closed.class);
      assertThatThrownBy(() -> closed.deliver(building)).isInstanceOf(PageFailure.Closed.class);
      assertThatThrownBy(() -> closed.pin(0, 8)).isInstanceOf(PageFailure.Closed.class);
      assertThatThrownBy(() -> closed.beginFree(8)).isInstanceOf(PageFailure.Closed.class);
      assertThatThrownBy(() -> closed.free(8)).isInstanceOf(PageFailure.Closed.class);
    }
  }
}
