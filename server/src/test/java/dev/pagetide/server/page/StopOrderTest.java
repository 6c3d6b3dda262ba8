package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The order of reclaim while stops, scans and sweeps run at once: of two stops that did not
 * overlap, the first is reclaimed first.
 *
 * <p>Each stopper has pages of its own in every range, so it knows when its page was reclaimed: it
 * makes a page USED, stops it, and mostly leaves it alone until it is FREE. A single scanner takes
 * small numbers of pages without pause; each scan has a number, and the FREE stamp of a page tells
 * which scan took it. Two pages taken by one scan are in no order; of two taken by different scans,
 * the stop of the earlier must have been called before the stop of the later had returned, unless
 * the earlier scan passed over a busy range, as it says.
 */
@Promise(21)
final class StopOrderTest {
  private static final int STOPPERS = 3;
  private static final int RANGES = 3;
  private static final int PAGES_OF_EACH = 40;

  /**
   * One stop and the scan that took its page.
   *
   * @param skipped whether that scan had to pass over a busy range: then what it passed over may be
   *     older than this page
   */
  private record Life(long called, long returned, long scan, boolean skipped) {}

  /** One scan that reclaimed. */
  private record Scanned(long began, boolean skipped) {}

  private static void run(int rounds, long seed) throws InterruptedException {
    // Logical time: every look is later than the one before, so calls and returns compare exactly.
    AtomicLong time = new AtomicLong();
    try (TestRanges ranges =
        new TestRanges(TestRanges.UNLIMITED_PAGES, time::incrementAndGet, PageFileMaker.MEMFD)) {
      List<ShrinkablePageRange> open = new ArrayList<>();
      for (int i = 0; i < RANGES; i++) {
        open.add(ranges.open(STOPPERS * PAGES_OF_EACH + 1));
        open.get(i).useRange(STOPPERS * PAGES_OF_EACH, STOPPERS * PAGES_OF_EACH + 1);
      }
      List<Life> lives = new ArrayList<>();
      List<List<Life>> perStopper = new ArrayList<>();
      List<Scanned> scans = new ArrayList<>();
      AtomicInteger running = new AtomicInteger(STOPPERS);
      AtomicBoolean failed = new AtomicBoolean();
      List<Crowd.Member> members = new ArrayList<>();
      for (int i = 0; i < STOPPERS; i++) {
        List<Life> mine = new ArrayList<>();
        perStopper.add(mine);
        members.add(index -> {
          try {
            stopPages(open, index, rounds, new Random(seed + index), time, mine, failed);
          } finally {
            running.decrementAndGet();
          }
        });
      }
      members.add(index -> {
        Random random = new Random(seed - 1);
        try {
          while (running.get() > 0 || ranges.shrinker.count() > 0) {
            long began = time.incrementAndGet();
            long pages = random.nextInt(50) == 0 ? 500 : 1 + random.nextInt(3);
            ScanResult result = ranges.shrinker.scan(pages);
            if (result.reclaimed() > 0) {
              scans.add(new Scanned(began, result.skipped().containsKey(SkipReason.LOCKED)));
            }
          }
        } catch (Throwable t) {
          failed.set(true);
          throw t;
        }
      });

      Crowd.run(members);

      long[] begins = scans.stream().mapToLong(Scanned::began).toArray();
      for (List<Life> mine : perStopper) {
        for (Life life : mine) {
          int found = Arrays.binarySearch(begins, life.scan());
          int at = found >= 0 ? found : -found - 2;
          lives.add(new Life(life.called(), life.returned(), at, scans.get(at).skipped()));
        }
      }
      check(lives, seed);
      ranges.checkInvariants();
    }
  }

  /** Uses and stops pages of its own; records each once it was reclaimed. */
  private static void stopPages(
      List<ShrinkablePageRange> open,
      int index,
      int rounds,
      Random random,
      AtomicLong time,
      List<Life> lives,
      AtomicBoolean failed) {
    int slots = RANGES * PAGES_OF_EACH;
    long[] called = new long[slots];
    long[] returned = new long[slots];
    while (lives.size() < rounds && !failed.get()) {
      int slot = random.nextInt(slots);
      ShrinkablePageRange range = open.get(slot / PAGES_OF_EACH);
      int page = index * PAGES_OF_EACH + slot % PAGES_OF_EACH;
      long word = range.table().wordAcquire(page);
      // Now and then a page is taken back into use, so that candidates change under the scan.
      if (PageWord.state(word) != PageWord.FREE && random.nextInt(16) > 0) {
        Thread.onSpinWait();
        continue;
      }
      if (PageWord.state(word) == PageWord.FREE && returned[slot] > 0) {
        lives.add(new Life(called[slot], returned[slot], PageWord.stampNanos(word), false));
      }
      range.useRange(page, page + 1);
      called[slot] = time.incrementAndGet();
      range.stopUsingRange(page, page + 1);
      returned[slot] = time.incrementAndGet();
    }
  }

  private static void check(List<Life> lives, long seed) {
    assertThat(lives.stream().filter(life -> !life.skipped()))
        .as("pages taken by scans that skipped nothing")
        .hasSizeGreaterThan(1_000);
    lives.sort(Comparator.comparingLong(Life::scan));
    // From the last scan to the first: nothing taken later may have returned before this was
    // called.
    long earliestReturn = Long.MAX_VALUE;
    int later = lives.size();
    for (int i = lives.size() - 1; i >= 0; i--) {
      Life life = lives.get(i);
      while (later > 0 && lives.get(later - 1).scan() > life.scan()) {
        later--;
        earliestReturn = Math.min(earliestReturn, lives.get(later).returned());
      }
      if (!life.skipped() && earliestReturn < life.called()) {
        throw new AssertionError(
            "seed %d: %s was taken before a page whose stop had returned at %d"
                .formatted(seed, life, earliestReturn));
      }
    }
  }

  @Test
  void scan_whileOthersStop_takesFirstWhatWasStoppedFirst() throws InterruptedException {
    long seed = Seeds.next();
    for (int i = 0; i < 5; i++) {
      run(15_000, seed + 10L * i);
    }
  }

  @Tag("long")
  @Test
  void scan_whileOthersStopForLong_takesFirstWhatWasStoppedFirst() throws InterruptedException {
    long seed = Seeds.next();
    for (int i = 0; i < 100; i++) {
      run(30_000, seed + 10L * i);
    }
  }
}
