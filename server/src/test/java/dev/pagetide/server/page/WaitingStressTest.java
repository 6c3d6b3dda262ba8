package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Uses that wait, on ranges that want more than twice what there is, while others are cancelled and
 * ranges end, and memory is reclaimed in the background.
 *
 * <p>Would show a use that is never told how it ended, or told twice; pages reserved for a waiter
 * who has left and given back by nobody; a place in the line that is never left. FORBIDDEN: any end
 * but pages, no memory, session ended and cancelled; a charge above the budget.
 */
final class WaitingStressTest {
  private static final int THREADS = 6;
  private static final int WORKERS = 3;
  private static final int RANGES = 4;
  private static final int RANGE_PAGES = 64;
  private static final int BUDGET_PAGES = 110;
  private static final int MOST_WAITED_FOR = 4;
  private static final long MAX_WAIT_MILLIS = 20;
  private static final long PATIENCE_SECONDS = 60;

  /** How a use ended. */
  private enum End {
    PAGES,
    NO_MEMORY,
    SESSION_ENDED,
    CANCELLED
  }

  /** What one thread began and has not seen the end of. */
  private record Begun(
      ShrinkablePageRange range, PageSpans spans, CompletableFuture<PageSpans> result) {}

  private final TestRanges ranges =
      new TestRanges(
          BUDGET_PAGES,
          PageClock.MONOTONIC,
          PageFileMaker.MEMFD,
          PageObserver.NONE,
          new ReclaimConfig(
              BUDGET_PAGES * 3 / 4,
              BUDGET_PAGES * 7 / 8,
              TimeUnit.MILLISECONDS.toNanos(1),
              HostHeadroom.NONE));
  private final AtomicReferenceArray<ShrinkablePageRange> open = new AtomicReferenceArray<>(RANGES);
  private final AtomicLong begun = new AtomicLong();
  private final AtomicLong ended = new AtomicLong();
  private final Map<End, Long> ends = new ConcurrentHashMap<>();

  private void run(int operations) throws Exception {
    long seed = Seeds.next();
    for (int i = 0; i < RANGES; i++) {
      open.set(i, ranges.openSession(RANGE_PAGES));
    }
    ExecutorService workers = Executors.newFixedThreadPool(WORKERS);
    List<Throwable> bugs = new CopyOnWriteArrayList<>();
    try (BackgroundReclaim _ = BackgroundReclaim.start(ranges.shrinker, bugs::add)) {
      Crowd.run(
          THREADS,
          index -> {
            Random random = new Random(seed + index);
            Deque<Begun> waiting = new ArrayDeque<>();
            for (int i = 0; i < operations; i++) {
              step(random, waiting, workers);
            }
            while (!waiting.isEmpty()) {
              finish(waiting.removeFirst());
            }
          });
      assertThat(ranges.shrinker.allocationQueue().size()).as("waiters left").isZero();
    }
    workers.shutdown(); // uses that were cancelled may be on their way still
    assertThat(workers.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();

    System.out.println("WaitingStressTest: " + ends);
    assertThat(bugs).isEmpty();
    assertThat(ended).hasValue(begun.get());
    assertThat(ends.values().stream().mapToLong(Long::longValue).sum()).isEqualTo(begun.get());
    ranges.checkInvariants();
    ranges.close();
    ranges.checkInvariants();
    assertThat(ranges.budget.chargedPages()).isZero();
  }

  private void step(Random random, Deque<Begun> waiting, ExecutorService workers) throws Exception {
    int slot = random.nextInt(RANGES);
    ShrinkablePageRange range = open.get(slot);
    int start = random.nextInt(RANGE_PAGES);
    int end = Math.min(RANGE_PAGES, start + 1 + random.nextInt(24));
    switch (random.nextInt(16)) {
      case 0 -> stopQuietly(range, PageSpans.of(0, RANGE_PAGES));
      case 1 -> ranges.shrinker.scan(random.nextInt(8));
      case 2 -> {
        if (random.nextInt(20) == 0) {
          reopen(slot, range);
        }
      }
      default -> {
        if (waiting.size() == MOST_WAITED_FOR) {
          finish(waiting.removeFirst());
        }
        waiting.addLast(begin(range, PageSpans.of(start, end), random, workers));
      }
    }
    assertThat(ranges.budget.chargedPages()).isLessThanOrEqualTo(BUDGET_PAGES);
  }

  private Begun begin(
      ShrinkablePageRange range, PageSpans spans, Random random, ExecutorService workers) {
    long wait = TimeUnit.MILLISECONDS.toNanos(random.nextLong(MAX_WAIT_MILLIS));
    PendingUse use = new PendingUse(range, spans, wait, workers);
    begun.incrementAndGet();
    var _ = use.result().whenComplete((_, _) -> ended.incrementAndGet());
    if (random.nextBoolean()) {
      workers.execute(use);
    } else {
      use.run();
    }
    if (random.nextInt(6) == 0) {
      use.result().cancel(true);
    }
    return new Begun(range, spans, use.result());
  }

  /** Waits for the end of a use, counts which it was, and stops its pages. */
  private void finish(Begun use) throws Exception {
    count(endOf(use.result()));
    stopQuietly(use.range(), use.spans()); // those of a use that was cancelled too late, too
  }

  private void count(End end) {
    ends.merge(end, 1L, Long::sum);
  }

  private static End endOf(CompletableFuture<PageSpans> result) throws Exception {
    try {
      var _ = result.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
      return End.PAGES;
    } catch (CancellationException e) {
      return End.CANCELLED;
    } catch (CompletionException e) {
      return switch (e.getCause()) {
        case PageFailure.NoMemory _ -> End.NO_MEMORY;
        case PageFailure.Closed _ -> End.SESSION_ENDED;
        case null, default -> throw e;
      };
    }
  }

  private static void stopQuietly(ShrinkablePageRange range, PageSpans spans) {
    try {
      range.stopUsingRange(spans);
    } catch (PageFailure.Closed e) {
      // It has ended.
    }
  }

  /** Ends a range, with whoever waits for it, and opens another in its place if it can. */
  private void reopen(int slot, ShrinkablePageRange range) {
    synchronized (ranges) {
      if (open.get(slot) != range) {
        return; // somebody else did
      }
      range.close();
      while (true) {
        try {
          open.set(slot, ranges.openSession(RANGE_PAGES));
          return;
        } catch (PageFailure.NoMemory e) {
          for (int i = 0; i < RANGES; i++) {
            stopQuietly(open.get(i), PageSpans.of(0, RANGE_PAGES));
          }
        }
      }
    }
  }

  @Test
  void uses_cancelledAndEndedAtRandom_eachEndOnceAndLeaveNothing() throws Exception {
    run(1_500);
  }

  @Tag("long")
  @Test
  void uses_cancelledAndEndedAtRandomForLong_eachEndOnceAndLeaveNothing() throws Exception {
    run(40_000);
  }
}
