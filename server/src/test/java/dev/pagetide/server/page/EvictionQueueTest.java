package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.testkit.Promise;
import java.lang.ref.WeakReference;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The order between scans that share a queue; and that a queue keeps no ended range alive. */
@Promise(21)
final class EvictionQueueTest {
  private static final int PAGES = 20;
  private static final long ANY_AGE = OldestFirst.ANY_AGE;

  /** Ticks at each look, so that it tells all stops apart. */
  private final AtomicLong time = new AtomicLong(1_000);

  private final TestRanges ranges =
      new TestRanges(TestRanges.UNLIMITED_PAGES, time::incrementAndGet, PageFileMaker.MEMFD);
  private final EvictionQueue queue = new EvictionQueue(time::incrementAndGet, PageObserver.NONE);

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  /** A range whose pages were stopped in the order of their numbers, all of them queued. */
  private ShrinkablePageRange openQueued() {
    ShrinkablePageRange range = openStopped();
    sweep(List.of(range));
    return range;
  }

  private ShrinkablePageRange openStopped() {
    ShrinkablePageRange range = ranges.open(PAGES);
    range.useRange(0, PAGES);
    for (int page = 0; page < PAGES; page++) {
      range.stopUsingRange(page, page + 1);
    }
    return range;
  }

  private void sweep(List<ShrinkablePageRange> swept) {
    assertThat(queue.sweep(() -> swept, Set.of(), 1_000, false).queued())
        .isEqualTo(PAGES * swept.size());
  }

  private EvictionQueue.Batch take(int most) {
    EvictionQueue.Batch batch = new EvictionQueue.Batch(most);
    queue.take(batch, most, ANY_AGE);
    return batch;
  }

  /** The batch of so many candidates, as a scan hands it back. */
  private EvictionQueue.Batch taken(int most) {
    EvictionQueue.Batch batch = take(most);
    assertThat(batch.size()).isEqualTo(most);
    return batch;
  }

  private static int[] pages(EvictionQueue.Batch batch) {
    return IntStream.range(0, batch.size())
        .map(i -> CandidateBuffer.page(batch.places()[i]))
        .toArray();
  }

  private static int[] inOrder() {
    return IntStream.range(0, PAGES).toArray();
  }

  @Test
  void putBack_olderOnesFirst_keepsTheOrder() {
    openQueued();
    EvictionQueue.Batch older = taken(5);
    EvictionQueue.Batch younger = taken(5);

    queue.putBack(older);
    queue.putBack(younger);

    assertThat(pages(take(PAGES))).isEqualTo(inOrder());
  }

  @Test
  void putBack_youngerOnesFirst_keepsTheOrder() {
    openQueued();
    EvictionQueue.Batch older = taken(5);
    EvictionQueue.Batch younger = taken(5);

    queue.putBack(younger);
    queue.putBack(older);

    assertThat(pages(take(PAGES))).isEqualTo(inOrder());
  }

  @Test
  void putBackSkipped_scanThatWasGivenWhatAnotherPutBack_keepsTheOrder() {
    ShrinkablePageRange range = openQueued();
    Scan scan = new Scan();
    scan.begin(ReclaimTrigger.REQUEST);
    EvictionQueue.Batch oldest = taken(5);

    try (HeldLock held = new HeldLock(range)) {
      assertThat(held).isNotNull();
      assertThat(scan.takeFrom(queue, 5, ANY_AGE)).isTrue();
      queue.putBack(oldest);
      assertThat(scan.takeFrom(queue, 5, ANY_AGE)).isTrue();
    }
    scan.putBackSkipped(queue);

    assertThat(scan.reclaimed()).isZero();
    assertThat(pages(take(PAGES))).isEqualTo(inOrder());
  }

  @Test
  void putBack_queueWasClearedMeanwhile_dropsThem() {
    ShrinkablePageRange range = openQueued();
    EvictionQueue.Batch taken = taken(5);
    queue.clear();

    queue.putBack(taken);

    assertThat(queue.size()).isZero();
    sweep(List.of(range));
    queue.putBack(taken);
    assertThat(pages(take(PAGES))).isEqualTo(inOrder());
  }

  @Test
  void remove_rangeThatWasSwept_leavesTheOthersTheirPlaces() {
    ShrinkablePageRange a = openStopped();
    ShrinkablePageRange b = openStopped();
    sweep(List.of(b, a));
    EvictionQueue.Batch taken = taken(1);

    queue.remove(a);

    assertThat(taken.ranges().get(0)).isNull();
    assertThat(taken.ranges().get(1)).isSameAs(b);
    assertThat(queue.sweptAll(List.of(b))).isTrue();
    assertThat(queue.size()).isEqualTo(2 * PAGES - 1);
  }

  @Test
  void sweep_rangeThatEndsMeanwhile_isNotKept() {
    ShrinkablePageRange a = openStopped();
    ShrinkablePageRange b = openStopped();

    queue.sweep(
        () -> {
          a.close();
          queue.remove(a); // before there is anything to take it out of
          return List.of(a, b);
        },
        Set.of(),
        1_000,
        false);

    EvictionQueue.Batch taken = taken(PAGES);
    assertThat(taken.ranges().get(0)).isNull();
    assertThat(taken.ranges().get(1)).isSameAs(b);
  }

  @Test
  void close_rangeWhosePagesAreQueued_isNotKeptAlive() {
    openStopped();
    WeakReference<ShrinkablePageRange> ended = queueAndClose();

    await()
        .untilAsserted(() -> {
          System.gc();
          assertThat(ended.get()).isNull();
        });

    assertThat(ranges.shrinker.scan(PAGES).reclaimed()).isEqualTo(PAGES - 1);
  }

  private WeakReference<ShrinkablePageRange> queueAndClose() {
    ShrinkablePageRange range = openStopped();
    assertThat(ranges.shrinker.scan(1).reclaimed()).isEqualTo(1); // queues the others
    range.close();
    ranges.ranges.remove(range);
    return new WeakReference<>(range);
  }
}
