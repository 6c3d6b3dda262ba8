package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.testkit.Promise;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What holds with everything at once: several threads use, stop, scan, count, read, write, zero,
 * look and close on several ranges under a budget that is mostly spent; the invariants are checked
 * whenever all have paused.
 */
@Promise({2, 13, 22, 27, 30})
final class StressTest {
  private static final int THREADS = 6;
  private static final int RANGES = 4;

  private static void run(int rounds, int operations) throws InterruptedException {
    long seed = Seeds.next();
    long before = ClientView.openRangeFiles();
    // Bookkeeping, and about half of the data pages.
    try (TestRanges ranges = TestRanges.withBudget(RANGES * 2 + RANGES * 60)) {
      PageBudget session = ranges.budget.child("--max-resident-bytes-per-session", 50);
      for (int round = 0; round < rounds; round++) {
        List<ShrinkablePageRange> open = new ArrayList<>();
        for (int i = 0; i < RANGES; i++) {
          open.add(i == 0 ? ranges.open(120, session) : ranges.open(120));
        }
        AtomicReferenceArray<ShrinkablePageRange> shared =
            new AtomicReferenceArray<>(open.toArray(ShrinkablePageRange[]::new));
        long roundSeed = seed + (long) round * THREADS;
        Crowd.run(
            THREADS,
            index -> {
              Random random = new Random(roundSeed + index);
              for (int i = 0; i < operations; i++) {
                step(ranges.shrinker, shared.get(random.nextInt(RANGES)), random);
              }
            });
        ranges.checkInvariants();
        open.forEach(ShrinkablePageRange::close);
        ranges.checkInvariants();
        ranges.ranges.removeAll(open);
      }
    }
    if (ClientView.openRangeFiles() != before) {
      throw new AssertionError("descriptors are left");
    }
  }

  private static void step(Shrinker shrinker, ShrinkablePageRange range, Random random) {
    int start = random.nextInt(range.pageCount());
    int end = Math.min(range.pageCount(), start + 1 + random.nextInt(20));
    long offset = (long) start * range.pageSize() + random.nextInt(range.pageSize());
    int most = (int) Math.min(10_000, (long) range.pageCount() * range.pageSize() - offset);
    try {
      switch (random.nextInt(16)) {
        case 0, 1, 2 -> range.useRange(start, end);
        case 3 -> range.useRange(range.spans().add(start, end).add(0, random.nextInt(3)).build());
        case 4, 5, 6 -> range.stopUsingRange(start, end);
        case 7 -> range.stopUsingRange(0, range.pageCount());
        case 8, 9 -> shrinker.scan(random.nextInt(30));
        case 10 -> shrinker.scan(random.nextInt(200), range.budget());
        case 11 -> range.read(offset, ByteBuffer.allocate(random.nextInt(most)));
        case 12 -> range.write(offset, ByteBuffer.allocate(random.nextInt(most)));
        case 13 -> range.fillZero(offset, random.nextInt(most));
        case 14 -> checkCounts(range, shrinker);
        default -> {
          if (random.nextInt(500) == 0) {
            range.close();
          } else if (range.states(start, end).length != end - start) {
            throw new AssertionError("states of another length");
          }
        }
      }
    } catch (PageFailure.NotUsed | PageFailure.NoMemory | PageFailure.Closed e) {
      // What may be refused; anything else ends the thread and fails the test.
    }
  }

  private static void checkCounts(ShrinkablePageRange range, Shrinker shrinker) {
    PageCounts counts = range.counts();
    if (counts.free() < 0
        || counts.available() < 0
        || counts.used() < 0
        || counts.free() + counts.available() + counts.used() > range.pageCount()
        || shrinker.count() > (long) RANGES * range.pageCount()) {
      throw new AssertionError(counts.toString());
    }
    PageBudget budget = range.budget();
    if (budget.chargedPages() > budget.limitPages()) {
      throw new AssertionError(budget.toString());
    }
  }

  @Test
  void verbs_inAnyInterleaving_keepTheInvariants() throws InterruptedException {
    run(20, 4_000);
  }

  @Tag("long")
  @Test
  void verbs_inAnyInterleavingForLong_keepTheInvariants() throws InterruptedException {
    run(200, 20_000);
  }
}
