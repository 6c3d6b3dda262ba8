package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Failures: an allocation that fails anywhere changes no word and leaves nothing unaccounted; and a
 * punch that fails puts everything back.
 */
public abstract class FailuresConformance extends RangeConformance {
  private static final int PAGES = 700;

  protected FailuresConformance(Function<ServerTerms, ? extends ServerInside> servers) {
    super(servers);
  }

  @BeforeEach
  final void startFailing() {
    start(failing());
  }

  /** Runs of absent pages between USED and AVAILABLE ones, longer than one hold of the lock. */
  private RangeUnderTest openWithHoles() {
    script.failNone();
    RangeUnderTest range = open(PAGES);
    range.use(10, 12);
    range.use(300, 310);
    range.use(650, 651);
    fill(range, 300, 310, 7);
    fill(range, 10, 12, 7);
    range.stop(305, 310);
    return range;
  }

  /** Uses everything; false if there was no memory for it. */
  private static boolean useAll(RangeUnderTest range) {
    try {
      range.use(0, PAGES);
      return true;
    } catch (Refused e) {
      assertThat(e.why()).isEqualTo(Refused.Why.NO_MEMORY);
      return false;
    }
  }

  @Test
  @Promise(30)
  void use_nthCallToTheKernelFails_changesNoWordAndLeavesNothingUnaccounted() {
    int failures = 0;
    boolean failed = true;
    while (failed) {
      RangeUnderTest range = openWithHoles();
      long[] before = words(range);
      long charged = server().budget().chargedPages();
      script.failNth(failures + 1);

      failed = !useAll(range);

      if (failed) {
        failures++;
        assertThat(words(range)).isEqualTo(before);
        assertThat(server().budget().chargedPages()).isEqualTo(charged);
      }
      script.failNone();
      checkInvariants();
      assertThat(range.use(0, PAGES).cardinality()).isEqualTo(failed ? PAGES - 13 : 0);
      expectBytes(range, 300, 310, 7);
      expectBytes(range, 10, 12, 7);
      checkInvariants();
      range.close();
    }
    assertThat(failures).isGreaterThan(4); // runs, and a look for strays under each hold
  }

  @Test
  @Promise(30)
  void use_nthAndEveryLaterCallFails_leavesNothingUnaccounted() {
    int failures = 0;
    boolean failed = true;
    while (failed) {
      RangeUnderTest range = openWithHoles();
      script.failFrom(failures + 1, Integer.MAX_VALUE, null);

      failed = !useAll(range);

      failures += failed ? 1 : 0;
      script.failNone();
      // Pages that could not be punched again are AVAILABLE: a scan takes them.
      checkInvariants();
      assertThat(core(range).counts().used()).isEqualTo(failed ? 8 : PAGES);
      server().scan(PAGES);
      assertThat(core(range).pages().count()).isEqualTo(failed ? 8 : PAGES);
      expectBytes(range, 300, 305, 7);
      checkInvariants();
      range.close();
    }
    assertThat(failures).isGreaterThan(4);
  }

  /** From now on, notes the range's map before each call of a kind: the last one stays. */
  private void noteMapBefore(
      FailingPageFile.Call kind, RangeUnderTest range, AtomicReference<String> noted) {
    script.beforeNext(
        kind,
        () -> {
          noted.set(map(range));
          noteMapBefore(kind, range, noted);
        });
  }

  @Test
  @Promise(2)
  void states_whileAnAllocationIsUnderWay_showPagesWithoutTheirWordsAsFree() {
    RangeUnderTest range = open(8);
    bring(range, "FFUFFAFF", 7);
    AtomicReference<String> noted = new AtomicReference<>("");
    noteMapBefore(FailingPageFile.Call.ALLOCATE, range, noted);

    range.use(0, 8);

    // Before the last run got its memory, the others had it, and their bits.
    assertThat(noted.get()).isEqualTo("FFUFFAFF");
    assertThat(map(range)).isEqualTo("UUUUUUUU");
    assertThat(script.nextHasCome()).isFalse();
  }

  @Test
  @Promise(2)
  void states_whileAPunchIsUnderWay_showItsPagesAsFree() {
    RangeUnderTest range = open(8);
    bring(range, "AAUAAAUF", 7);
    AtomicReference<String> noted = new AtomicReference<>("");
    noteMapBefore(FailingPageFile.Call.PUNCH, range, noted);

    server().scan(8);

    // Before the last run was punched, its pages had their bits.
    assertThat(noted.get()).isEqualTo("FFUFFFUF");
    assertThat(map(range)).isEqualTo("FFUFFFUF");
    assertThat(script.nextHasCome()).isFalse();
  }

  @Test
  @Promise(30)
  void use_failsWhileASecondUserUsesAPageOfIt_takesNothingFromTheSecond()
      throws InterruptedException {
    for (int round = 0; round < server().rounds(30); round++) {
      RangeUnderTest range = open(PAGES);
      ResidentPages resident = core(range).pages();
      AtomicBoolean failing = new AtomicBoolean();
      // The fourth call is the second hold's look for strays: pages 0 to 255 have memory by then.
      script.failNth(4);
      script.beforeEach(() -> {
        if (script.calls() == 4 && resident.isResident(0)) {
          failing.set(true);
          while (!resident.lock.hasQueuedThreads()) {
            Thread.onSpinWait();
          }
        }
      });

      Crowd.run(
          2,
          index -> {
            if (index == 0) {
              assertRefused(Refused.Why.NO_MEMORY, () -> range.use(0, PAGES));
            } else {
              while (!failing.get()) {
                Thread.onSpinWait();
              }
              range.use(0, 2, 100, 101);
              fill(range, 0, 2, 7);
              fill(range, 100, 101, 7);
            }
          });

      script.beforeEach(() -> {});
      script.failNone();
      assertThat(core(range).counts()).isEqualTo(new PageCounts(PAGES - 3, 0, 3, 0));
      expectBytes(range, 0, 2, 7);
      expectBytes(range, 100, 101, 7);
      checkInvariants();
      range.close();
    }
  }

  @Test
  @Promise(30)
  void use_refusedWhileAPageOfItIsPunched_makesNoPageUsed() throws InterruptedException {
    RangeUnderTest range = open(8);
    range.use(0, 5);
    fill(range, 0, 5, 7);
    range.stop(3, 4); // the oldest
    range.stop(0, 3);
    AtomicReference<Refused.@Nullable Why> why = new AtomicReference<>();
    Thread user =
        Thread.ofPlatform()
            .unstarted(() -> {
              try {
                range.use(0, 4);
              } catch (Refused e) {
                why.set(e.why());
              }
            });
    script.failEvery(FailingPageFile.Call.ALLOCATE);
    script.beforeNext(
        FailingPageFile.Call.PUNCH,
        () -> {
          user.start();
          while (user.isAlive() && !core(range).pages().lock.hasQueuedThreads()) {
            Thread.onSpinWait();
          }
        });

    ScanResult result = server().scan(1);

    assertThat(script.nextHasCome()).isTrue();
    user.join();
    assertThat(why).hasValue(Refused.Why.NO_MEMORY);
    assertThat(result.reclaimed()).isEqualTo(1);
    assertThat(map(range)).isEqualTo("AAAFUFFF");
    script.failNone();
    checkInvariants();
    assertThat(range.use(0, 5)).isEqualTo(pages(3, 4));
    expectBytes(range, 0, 3, 7);
    expectBytes(range, 3, 4, 0);
    expectBytes(range, 4, 5, 7);
  }

  @Test
  @Promise({2, 22})
  void scan_punchFails_putsWordBitAndChargeBack() {
    RangeUnderTest range = open(8);
    range.use(0, 8);
    fill(range, 0, 8, 7);
    range.stop(0, 2);
    range.stop(4, 6);
    long[] words = words(range);
    long charged = server().budget().chargedPages();
    script.failEvery(FailingPageFile.Call.PUNCH);

    ScanResult all = server().scan(100);
    ScanResult one = server().scan(1);

    assertThat(all.reclaimed()).isZero();
    assertThat(all.skipped()).containsOnlyKeys(SkipReason.PUNCH_FAILED);
    assertThat(one.reclaimed()).isZero();
    assertThat(one.skipped()).containsOnlyKeys(SkipReason.PUNCH_FAILED);
    assertThat(map(range)).isEqualTo("AAUUAAUU");
    assertThat(words(range)).isEqualTo(words);
    assertThat(server().budget().chargedPages()).isEqualTo(charged);
    script.failNone();
    checkInvariants();
    assertThat(server().scan(1).reclaimed()).isEqualTo(1);
    assertThat(map(range)).isEqualTo("AFUUAAUU");
    assertThat(range.use(0, 8)).isEqualTo(pages(1, 2));
    expectBytes(range, 2, 8, 7);
  }

  @Test
  @Promise({22, 24})
  void scan_onePunchOfSeveralFails_takesTheOtherRuns() {
    RangeUnderTest range = open(8);
    range.use(0, 8);
    range.stop(0, 8);
    range.use(2, 4);
    range.use(6, 7);
    script.failNth(2);

    ScanResult result = server().scan(100);

    assertThat(result).isEqualTo(new ScanResult(5, 3, Map.of(SkipReason.PUNCH_FAILED, 2L)));
    assertThat(map(range)).isEqualTo("FFUUAAUF");
  }
}
