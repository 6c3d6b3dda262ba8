package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.shm.PageWord;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import org.junit.jupiter.api.Test;

/**
 * Eight small clients beside one that holds nearly everything, idle or by lies: how often the small
 * ones find a page of theirs gone. The figures are printed, and stand in {@code
 * server/docs/BENCHMARKS.md}.
 *
 * <p>The trace is the same each time: a round is one pass of every small client over its working
 * set, ten pages at a time, and one act of the large one; after each step memory is reclaimed
 * between the watermarks, as in the background.
 */
final class HoarderTest {
  private static final int BUDGET_PAGES = 4096;
  private static final int LOW_PAGES = BUDGET_PAGES - BUDGET_PAGES / 8;
  private static final int HIGH_PAGES = BUDGET_PAGES - BUDGET_PAGES / 16;
  private static final int HOARD_PAGES = BUDGET_PAGES * 8 / 10;
  private static final int SMALL_CLIENTS = 8;
  private static final int SHARE_PAGES = BUDGET_PAGES / (SMALL_CLIENTS + 1);
  private static final int SPAN_PAGES = 10;
  private static final int BATCH_PAGES = 256;
  private static final int ROUNDS = 200;
  private static final long PROTECT_NANOS = 1_000_000_000;

  private final AtomicLong time = new AtomicLong(10 * PROTECT_NANOS);

  /** One run of the trace. */
  private final class Trace implements AutoCloseable {
    private final TestRanges ranges =
        new TestRanges(
            BUDGET_PAGES,
            time::incrementAndGet,
            PageFileMaker.MEMFD,
            PageObserver.NONE,
            new ReclaimConfig(LOW_PAGES, HIGH_PAGES, PROTECT_NANOS, HostHeadroom.NONE));
    private final LongFunction<ScanResult> background;
    private final List<ShrinkablePageRange> small = new ArrayList<>();
    private final int workingSet;
    private final ShrinkablePageRange large;
    private long touched;
    private long refaulted;

    /** With small clients whose working sets have {@code workingSet} pages each. */
    Trace(int largePages, int workingSet, boolean fair) {
      this.background =
          fair
              ? pages -> ranges.shrinker.scanFairly(pages, ReclaimTrigger.WATERMARK)
              : pages -> ranges.shrinker.scan(pages);
      this.large = ranges.openSession(largePages);
      this.workingSet = workingSet;
      for (int i = 0; i < SMALL_CLIENTS; i++) {
        small.add(ranges.openSession(workingSet));
      }
    }

    /** Each small client uses its working set once; what it found fresh is counted. */
    void passOfTheSmall() {
      for (int start = 0; start < workingSet; start += SPAN_PAGES) {
        int end = Math.min(workingSet, start + SPAN_PAGES);
        for (ShrinkablePageRange range : small) {
          refaulted += Pages.toBits(range.useRange(start, end)).cardinality();
          touched += end - start;
          range.stopUsingRange(start, end);
        }
        reclaimInBackground();
      }
    }

    /** The first pass finds everything fresh: it does not count. */
    void firstPass() {
      passOfTheSmall();
      touched = 0;
      refaulted = 0;
    }

    void reclaimInBackground() {
      if (ranges.budget.chargedPages() <= HIGH_PAGES) {
        return;
      }
      while (ranges.budget.chargedPages() > LOW_PAGES) {
        long above = ranges.budget.chargedPages() - LOW_PAGES;
        if (background.apply(Math.min(BATCH_PAGES, above)).reclaimed() == 0) {
          return;
        }
      }
    }

    void useAllOfTheLarge() {
      large.useRange(0, large.pageCount());
    }

    void stopAllOfTheLarge() {
      large.stopUsingRange(0, large.pageCount());
    }

    /** As {@link #stopAllOfTheLarge}, by a client that writes its own stamps. */
    void stopAllOfTheLargeInTheFuture(ClientView client) {
      for (int page = 0; page < large.pageCount(); page++) {
        ClientView.forceWord(client.table(), page, PageWord.available(PageWord.MAX_STAMP));
      }
    }

    long smallResident() {
      return small.stream().mapToLong(range -> range.pages().count()).sum();
    }

    double refaultPercent() {
      return 100.0 * refaulted / touched;
    }

    String figures(String name) {
      return ("HoarderTest %s: %d of %d uses of the small refaulted (%.2f %%); they hold %d "
              + "pages, the large one %d")
          .formatted(
              name,
              refaulted,
              touched,
              refaultPercent(),
              smallResident(),
              large.budget().chargedPages());
    }

    @Override
    public void close() {
      ranges.checkInvariants();
      ranges.close();
    }
  }

  /** What is left beside the hoard, shared out among the small. */
  private static int fittingWorkingSet() {
    int bookkeeping = 8 + 2 * SMALL_CLIENTS;
    return (BUDGET_PAGES - HOARD_PAGES - bookkeeping) / SMALL_CLIENTS;
  }

  @Test
  void hoarder_idle_costsTheSmallNothing() {
    try (Trace trace = new Trace(HOARD_PAGES, fittingWorkingSet(), true)) {
      trace.useAllOfTheLarge();
      trace.stopAllOfTheLarge();
      trace.firstPass();
      for (int round = 0; round < ROUNDS; round++) {
        time.addAndGet(2 * PROTECT_NANOS);
        trace.passOfTheSmall();
      }

      System.out.println(trace.figures("idle hoarder"));
      assertThat(trace.refaultPercent()).isLessThan(1);
      assertThat(trace.smallResident()).isEqualTo((long) SMALL_CLIENTS * trace.workingSet);
    }
  }

  private Trace hoarderThatTouchesAllItHas(boolean fair, boolean lies) {
    Trace trace = new Trace(HOARD_PAGES, fittingWorkingSet(), fair);
    try (ClientView client = new ClientView(trace.large)) {
      trace.firstPass();
      for (int round = 0; round < ROUNDS; round++) {
        time.addAndGet(2 * PROTECT_NANOS); // what the small stopped is not protected by its youth
        trace.useAllOfTheLarge();
        if (lies) {
          trace.stopAllOfTheLargeInTheFuture(client);
        } else {
          trace.stopAllOfTheLarge();
        }
        trace.reclaimInBackground();
        trace.passOfTheSmall();
      }
    }
    return trace;
  }

  /** The pages of the small are the oldest whenever memory is short: LRU alone would take them. */
  @Test
  void hoarder_touchesAllItHasBeforeEachPass_costsTheSmallNothing() {
    try (Trace fair = hoarderThatTouchesAllItHas(true, false);
        Trace oldestFirst = hoarderThatTouchesAllItHas(false, false)) {

      System.out.println(fair.figures("hoarder that touches all it has"));
      System.out.println(oldestFirst.figures("the same, strictly oldest first"));
      assertThat(fair.refaultPercent()).isLessThan(1);
      assertThat(oldestFirst.refaultPercent()).as("else nothing was shown").isGreaterThan(50);
    }
  }

  @Test
  void liar_stampsInTheFuture_costsTheSmallNothing() {
    try (Trace fair = hoarderThatTouchesAllItHas(true, true)) {

      System.out.println(fair.figures("liar with stamps in the future"));
      assertThat(fair.refaultPercent()).isLessThan(1);
      assertThat(fair.smallResident()).isEqualTo((long) SMALL_CLIENTS * fair.workingSet);
    }
  }

  /** Everybody is at the fair share, and one never stops a page and asks for more all the time. */
  @Test
  void liar_everythingUsedAndAsksForMore_getsItsShareAndNoMore() {
    try (Trace trace = new Trace(BUDGET_PAGES, SHARE_PAGES - 2, true)) {
      int held = insatiable(trace, 0);

      System.out.println(trace.figures("liar that stops nothing"));
      int leftOver = BUDGET_PAGES % (SMALL_CLIENTS + 1);
      assertThat(trace.large.budget().chargedPages()).isBetween(1L, (long) SHARE_PAGES + leftOver);
      assertThat(trace.large.counts().used()).isEqualTo(held);
      assertThat(trace.refaulted).isZero();
      assertThat(trace.smallResident()).isEqualTo((long) SMALL_CLIENTS * trace.workingSet);
    }
  }

  /** It came first, and took what nobody wanted then: the others keep what they have. */
  @Test
  void liar_everythingUsedAndFarAboveItsShare_takesNothingOfWhatOthersUseEachRound() {
    try (Trace trace = new Trace(BUDGET_PAGES, fittingWorkingSet(), true)) {
      trace.large.useRange(0, HOARD_PAGES - 40);
      int held = insatiable(trace, HOARD_PAGES - 40);

      System.out.println(trace.figures("liar that stops nothing, far above its share"));
      assertThat(trace.large.counts().used()).isEqualTo(held);
      assertThat(trace.refaulted).isZero();
      assertThat(trace.smallResident()).isEqualTo((long) SMALL_CLIENTS * trace.workingSet);
    }
  }

  /** Asks for more after each step of the small, in ever smaller pieces; tells what it has. */
  private int insatiable(Trace trace, int already) {
    int held = already;
    trace.firstPass();
    for (int round = 0; round < ROUNDS; round++) {
      time.addAndGet(PROTECT_NANOS / 4);
      int wanted = 64;
      while (wanted > 0) {
        int end = Math.min(trace.large.pageCount(), held + wanted);
        try {
          trace.large.useRange(held, end);
          held = end;
        } catch (PageFailure.NoMemory e) {
          wanted /= 2;
        }
        trace.reclaimInBackground();
      }
      trace.passOfTheSmall();
    }
    return held;
  }
}
