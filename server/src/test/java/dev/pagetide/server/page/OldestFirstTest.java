package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.testkit.Promise;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The order where two scans skip pages of a busy range at the same time. */
@Promise(21)
final class OldestFirstTest {
  private static final int PAGES = 20;
  private static final int ROUNDS = 4_000;

  private final AtomicLong time = new AtomicLong(1_000);
  private final TestRanges ranges =
      new TestRanges(TestRanges.UNLIMITED_PAGES, time::incrementAndGet, PageFileMaker.MEMFD);
  private final ShrinkablePageRange range = ranges.open(PAGES);
  private final EvictionQueue shared = new EvictionQueue(time::incrementAndGet, PageObserver.NONE);

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  /**
   * The bug it would show: one scan skips the oldest pages and forgets them, and another one puts
   * back younger ones just before the first begins to sweep for itself. FORBIDDEN: candidates in
   * the shared queue, but not the oldest page of their range.
   */
  @Test
  void take_anotherScanPutsBackYoungerPagesMeanwhile_leavesNoneWithoutTheOldest()
      throws InterruptedException {
    range.useRange(0, PAGES);
    for (int page = 0; page < PAGES; page++) {
      range.stopUsingRange(page, page + 1);
    }
    AtomicInteger begun = new AtomicInteger();
    AtomicInteger done = new AtomicInteger();
    AtomicLong skipped = new AtomicLong();
    AtomicBoolean over = new AtomicBoolean();

    try (HeldLock held = new HeldLock(range)) {
      assertThat(held).isNotNull();
      Crowd.run(
          List.of(
              _ -> {
                try {
                  while (!over.get()) {
                    if (done.get() < begun.get()) {
                      skipped.set(scanInVain());
                      done.incrementAndGet();
                    }
                    Thread.onSpinWait();
                  }
                } finally {
                  over.set(true);
                }
              },
              _ -> {
                try {
                  int spins = 0;
                  for (int round = 1; round <= ROUNDS; round++) {
                    shared.sweep(() -> List.of(range), Set.of(), PAGES, false);
                    EvictionQueue.Batch older = take(PAGES / 2);
                    EvictionQueue.Batch younger = take(PAGES / 2);
                    shared.putBack(older);
                    begun.set(round);
                    for (int i = 0; i < spins; i++) {
                      Thread.onSpinWait();
                    }
                    shared.putBack(younger);
                    while (done.get() < round && !over.get()) {
                      Thread.onSpinWait();
                    }
                    assertNoneIsThereWithoutTheOldest(round);
                    boolean tooEarly = skipped.get() == PAGES; // the other scan skipped all
                    spins = tooEarly ? spins + 1 : Math.max(0, spins - 1); // nears the moment
                  }
                } finally {
                  over.set(true);
                }
              }));
    }
  }

  /** Finds its range busy; tells how many pages it skipped. */
  private long scanInVain() {
    Scan scan = new Scan();
    scan.begin(ReclaimTrigger.REQUEST);
    new OldestFirst(
            () -> List.of(range),
            shared,
            PAGES,
            OldestFirst.ANY_AGE,
            time::incrementAndGet,
            PageObserver.NONE)
        .take(PAGES, scan);
    assertThat(scan.reclaimed()).isZero();
    return scan.result().skipped().getOrDefault(SkipReason.LOCKED, 0L);
  }

  private EvictionQueue.Batch take(int most) {
    EvictionQueue.Batch batch = new EvictionQueue.Batch(most);
    shared.take(batch, most, OldestFirst.ANY_AGE);
    assertThat(batch.size()).isEqualTo(most);
    return batch;
  }

  private void assertNoneIsThereWithoutTheOldest(int round) {
    EvictionQueue.Batch left = new EvictionQueue.Batch(PAGES);
    shared.take(left, PAGES, OldestFirst.ANY_AGE);
    if (left.size() > 0) {
      assertThat(CandidateBuffer.page(left.places()[0])).as("round %d", round).isZero();
    }
    shared.clear();
  }
}
