package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.testkit.Promise;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A scan in whose way the queue, the gate or a hostile client stand. The limits in time here are
 * for scans that never end.
 */
@Promise({23, 24})
final class BusyRangeTest {
  private static final Duration FOR_EVER = Duration.ofSeconds(20);

  private final AtomicLong time = new AtomicLong(1_000);
  private final FailingPageFile.Script script = new FailingPageFile.Script();
  private final TestRanges ranges =
      new TestRanges(
          TestRanges.UNLIMITED_PAGES,
          time::incrementAndGet,
          (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));

  @AfterEach
  void close() {
    script.failNone();
    ranges.checkInvariants();
    ranges.close();
  }

  private ScanResult scan(long pages) {
    return assertTimeoutPreemptively(FOR_EVER, () -> ranges.shrinker.scan(pages));
  }

  @Test
  void scan_sweptAgainWithoutABusyRange_nextScanTakesTheOlderSkippedPageFirst() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(8);
    a.useRange(0, 4);
    b.useRange(0, 4);
    a.stopUsingRange(0, 2);
    b.stopUsingRange(0, 1);
    assertThat(scan(1).reclaimed()).isEqualTo(1); // queues page 0 of each
    b.stopUsingRange(1, 4);

    try (HeldLock held = new HeldLock(a)) {
      assertThat(held).isNotNull();
      assertThat(scan(2).reclaimed()).isEqualTo(2);
    }
    assertThat(TestRanges.map(a)).isEqualTo("AFUU");
    assertThat(TestRanges.map(b)).isEqualTo("FAAFFFFF");

    assertThat(scan(1).reclaimed()).isEqualTo(1);

    assertThat(TestRanges.map(a)).isEqualTo("FFUU");
    assertThat(TestRanges.map(b)).isEqualTo("FAAFFFFF");
  }

  @Test
  void scan_whileAnotherSweptWithoutABusyRange_takesTheOlderPageThatIsBusyNoMore() {
    ShrinkablePageRange a = ranges.open(4);
    ShrinkablePageRange b = ranges.open(4);
    ShrinkablePageRange c = ranges.open(4);
    a.useRange(0, 4);
    b.useRange(0, 4);
    c.useRange(0, 4);
    a.stopUsingRange(0, 2);
    b.stopUsingRange(0, 1);
    assertThat(scan(1).reclaimed()).isEqualTo(1); // queues page 0 of a and b
    b.stopUsingRange(1, 2);
    c.stopUsingRange(0, 2);

    try (HeldLock held = new HeldLock(a)) {
      script.beforeNext(
          FailingPageFile.Call.PUNCH,
          () -> // the second is of a page that a sweep without a has found
          script.beforeNext(
                  FailingPageFile.Call.PUNCH,
                  () -> {
                    held.release();
                    assertThat(scan(1).reclaimed()).isEqualTo(1);
                  }));

      assertThat(scan(2).reclaimed()).isEqualTo(2);
    }

    assertThat(script.nextHasCome()).isTrue();
    assertThat(TestRanges.map(a)).isEqualTo("FFUU");
    assertThat(TestRanges.map(b)).isEqualTo("FFUU");
    assertThat(TestRanges.map(c)).isEqualTo("AAUU");
    assertThat(scan(1).reclaimed()).isEqualTo(1);
    assertThat(TestRanges.map(c)).isEqualTo("AFUU");
  }

  @Test
  void scan_rangeThatIsBusyAllTheTime_sweepsOnceForManyScans() {
    AtomicInteger sweeps = new AtomicInteger();
    PageObserver counting =
        new PageObserver() {
          @Override
          public void swept(long nanos) {
            sweeps.incrementAndGet();
          }
        };
    try (TestRanges under =
        new TestRanges(
            TestRanges.UNLIMITED_PAGES,
            time::incrementAndGet,
            PageFileMaker.MEMFD,
            counting,
            ReclaimConfig.NONE)) {
      ShrinkablePageRange a = under.open(4);
      ShrinkablePageRange b = under.open(40);
      a.useRange(0, 4);
      b.useRange(0, 40);
      a.stopUsingRange(0, 2);
      b.stopUsingRange(0, 1);
      assertThat(under.shrinker.scan(1).reclaimed()).isEqualTo(1);
      b.stopUsingRange(1, 38);
      sweeps.set(0);

      try (HeldLock held = new HeldLock(a)) {
        assertThat(held).isNotNull();
        for (int i = 0; i < 20; i++) {
          assertThat(under.shrinker.scan(1).reclaimed()).isEqualTo(1);
        }
      }

      assertThat(sweeps).hasValueBetween(1, 2);
      assertThat(TestRanges.map(a)).isEqualTo("AFUU");
      under.checkInvariants();
    }
  }

  @Test
  void scan_somethingIsThrownInIt_losesNoPageAndNoCharge() {
    ShrinkablePageRange a = ranges.open(8);
    a.useRange(0, 8);
    for (int page = 0; page < 8; page += 2) {
      a.stopUsingRange(page, page + 1);
    }
    a.stopUsingRange(1, 2);
    a.stopUsingRange(3, 4);
    long charged = ranges.budget.chargedPages();
    assertThat(scan(1).reclaimed()).isEqualTo(1); // queues the others
    OutOfMemoryError thrown = new OutOfMemoryError("in the test");
    script.beforeNext(
        FailingPageFile.Call.PUNCH,
        () ->
            script.beforeNext(
                FailingPageFile.Call.PUNCH,
                () -> {
                  throw thrown;
                }));

    assertThatThrownBy(() -> ranges.shrinker.scan(3)).isSameAs(thrown);

    assertThat(script.nextHasCome()).isTrue();
    assertThat(TestRanges.map(a)).isEqualTo("FAFAAUAU"); // of pages 2, 4 and 6 one was punched
    assertThat(ranges.budget.chargedPages()).isEqualTo(charged - 2);
    ranges.checkInvariants();
    assertThat(scan(2).reclaimed()).isEqualTo(2);
    assertThat(TestRanges.map(a)).isEqualTo("FAFAFUFU");
    assertThat(scan(1).reclaimed()).isEqualTo(1);
    assertThat(TestRanges.map(a)).isEqualTo("FFFAFUFU");
    assertThat(a.map().isQuiet()).isTrue();
  }

  @Test
  void scan_userInsideTheGate_skipsTheRange() {
    ShrinkablePageRange a = ranges.open(4);
    a.useRange(0, 4);
    a.stopUsingRange(0, 4);

    assertThat(a.gate().enter()).isTrue();
    ScanResult result = scan(2);
    a.gate().leave();

    assertThat(result.reclaimed()).isZero();
    assertThat(result.skipped()).containsOnlyKeys(SkipReason.LOCKED);
    assertThat(TestRanges.map(a)).isEqualTo("AAAA");
    assertThat(a.gate().enter()).isTrue(); // open again
    a.gate().leave();
    assertThat(scan(2).reclaimed()).isEqualTo(2);
  }

  @Test
  void scan_aFullQueueThatCannotBePunched_ends() {
    PageBudget session = ranges.budget.child("session", 100_000);
    ShrinkablePageRange a = ranges.open(10_000, session);
    a.useRange(0, 10_000);
    a.stopUsingRange(0, 9_999);
    script.failEvery(FailingPageFile.Call.PUNCH);

    ScanResult whole = scan(10);
    ScanResult part = assertTimeoutPreemptively(FOR_EVER, () -> ranges.shrinker.scan(10, session));

    assertThat(whole.reclaimed()).isZero();
    assertThat(part.reclaimed()).isZero();
    assertThat(a.counts().available()).isEqualTo(9_999);
  }

  @Test
  void scan_clientThatAlwaysChangesTheHead_doesNotKeepTheShrinkerFromOthers() {
    AtomicInteger reads = new AtomicInteger();
    AtomicReference<ShrinkablePageRange> scribbledOn = new AtomicReference<>();
    AtomicBoolean armed = new AtomicBoolean();
    // A client that changes its 5,000 oldest words each time the server looks at the clock.
    PageClock clock =
        () -> {
          int now = reads.incrementAndGet();
          if (armed.get()) {
            PageTable table = Objects.requireNonNull(scribbledOn.get()).table();
            for (int page = 0; page < 5_000; page++) {
              long word = table.wordAcquire(page);
              if (PageWord.state(word) == 1) {
                table.casWord(page, word, word + 4);
              }
            }
          }
          return 1_000L + now;
        };
    try (TestRanges under =
        new TestRanges(TestRanges.UNLIMITED_PAGES, clock, PageFileMaker.MEMFD)) {
      ShrinkablePageRange hostile = under.open(5_001);
      hostile.useRange(0, 5_001);
      hostile.stopUsingRange(0, 5_000);
      scribbledOn.set(hostile);
      ShrinkablePageRange honest = under.open(8);
      honest.useRange(0, 8);
      honest.stopUsingRange(0, 6);
      armed.set(true);

      ScanResult result = assertTimeoutPreemptively(FOR_EVER, () -> under.shrinker.scan(6));

      armed.set(false);
      assertThat(result.reclaimed()).isEqualTo(6);
      assertThat(TestRanges.map(honest)).isEqualTo("FFFFFFUU");
      under.checkInvariants();
    }
  }
}
