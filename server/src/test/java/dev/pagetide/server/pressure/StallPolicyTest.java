package dev.pagetide.server.pressure;

import static dev.pagetide.server.pressure.StallTrigger.FULL_100;
import static dev.pagetide.server.pressure.StallTrigger.SOME_100;
import static dev.pagetide.server.pressure.StallTrigger.SOME_70;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A host that stalls as the test says: time and totals are the test's own. */
final class StallPolicyTest {
  private static final long AVAILABLE = 1 << 16;
  private static final long WINDOW = StallTrigger.WINDOW_NANOS;

  private final StallPolicy policy = new StallPolicy();
  private long now = -5; // clocks may start anywhere
  private long someMicros = 1_000_000;
  private long fullMicros;
  private long available = AVAILABLE;

  @Test
  void fired_firstTime_takesTheSharesOfTheThreeLevels() {
    assertThat(fire(SOME_70))
        .isEqualTo(decision(ReclaimTrigger.PSI_SOME, PressureLevel.LOW, AVAILABLE / 64));
    assertThat(fire(SOME_100))
        .isEqualTo(decision(ReclaimTrigger.PSI_SOME, PressureLevel.MEDIUM, AVAILABLE / 16));
    assertThat(fire(FULL_100))
        .isEqualTo(decision(ReclaimTrigger.PSI_FULL, PressureLevel.CRITICAL, AVAILABLE / 4));
  }

  @Test
  void fired_severalAtOnce_isTheWorstOfThem() {
    assertThat(fire(SOME_70, SOME_100, FULL_100))
        .isEqualTo(decision(ReclaimTrigger.PSI_FULL, PressureLevel.CRITICAL, AVAILABLE / 4));
  }

  @Test
  void fired_stallGoesOn_takesTwiceTheShareEachTimeAndAllAtLast() {
    stallFor(WINDOW, 200_000);
    assertPages(fire(SOME_100), AVAILABLE / 16);
    for (long share : new long[] {8, 4, 2, 1, 1, 1}) {
      stallFor(WINDOW, 200_000);

      assertPages(fire(SOME_100), AVAILABLE / share);
    }
  }

  @Test
  void fired_stallFalls_takesNothingAndKeepsTheLevel() {
    stallFor(WINDOW, 400_000);
    assertPages(fire(SOME_100), AVAILABLE / 16);
    stallFor(WINDOW, 300_000);

    assertThat(fire(SOME_100)).isNull();

    assertThat(policy.level()).isEqualTo(PressureLevel.MEDIUM);
    stallFor(WINDOW, 300_000);
    assertPages(fire(SOME_100), AVAILABLE / 8);
  }

  @Test
  void fired_stallFallsByLessThanAnEighth_isNoise() {
    stallFor(WINDOW, 400_000);
    assertPages(fire(SOME_70), AVAILABLE / 64);
    stallFor(WINDOW, 350_000);

    assertPages(fire(SOME_70), AVAILABLE / 32);
  }

  @Test
  void fired_oneFallsAndOneRises_isTheOneThatRises() {
    stall(WINDOW, 400_000, 100_000);
    assertPages(fire(SOME_100, FULL_100), AVAILABLE / 4);
    stall(WINDOW, 200_000, 150_000);

    assertThat(fire(SOME_100, FULL_100))
        .isEqualTo(decision(ReclaimTrigger.PSI_FULL, PressureLevel.CRITICAL, AVAILABLE / 2));
  }

  @Test
  void sample_quietTime_endsTheEpisodeAndBeginsAtTheStart() {
    stallFor(WINDOW, 200_000);
    assertPages(fire(FULL_100), AVAILABLE / 4);
    stall(WINDOW, 200_000, 200_000);
    assertPages(fire(FULL_100), AVAILABLE / 2);

    stallFor(StallPolicy.COOL_DOWN_NANOS, 0);
    assertThat(policy.level()).isEqualTo(PressureLevel.CRITICAL);
    stallFor(1, 0);
    assertThat(policy.level()).isEqualTo(PressureLevel.NONE);

    assertPages(fire(FULL_100), AVAILABLE / 4);
  }

  @Test
  void sample_worstTriggerQuiet_fallsToTheOneThatStillFires() {
    fire(SOME_70, FULL_100);
    for (long nanos = 0; nanos <= StallPolicy.COOL_DOWN_NANOS; nanos += WINDOW) {
      assertThat(policy.level()).isEqualTo(PressureLevel.CRITICAL);
      stallFor(WINDOW, 80_000);
      fire(SOME_70);
    }

    assertThat(policy.level()).isEqualTo(PressureLevel.LOW);
  }

  @Test
  void fired_littleAvailable_takesAClusterOrAllThereIs() {
    available = 64;
    assertPages(fire(SOME_70), StallPolicy.MIN_PAGES);
    available = 7;
    assertPages(fire(SOME_100), 7);
    available = 0;
    assertThat(fire(FULL_100)).isNull();
    assertThat(policy.level()).isEqualTo(PressureLevel.CRITICAL);
  }

  private static PressureDecision decision(
      ReclaimTrigger trigger, PressureLevel level, long pages) {
    return new PressureDecision(trigger, level, pages);
  }

  private static void assertPages(@Nullable PressureDecision decision, long pages) {
    assertThat(decision).isNotNull().extracting(PressureDecision::pages).isEqualTo(pages);
  }

  private void stallFor(long nanos, long micros) {
    stall(nanos, micros, 0);
  }

  /** Lets time go by in eight steps, with so much stall spread over it. */
  private void stall(long nanos, long some, long full) {
    for (int eighth = 1; eighth <= 8; eighth++) {
      now += nanos * eighth / 8 - nanos * (eighth - 1) / 8;
      someMicros += some / 8;
      fullMicros += full / 8;
      policy.sample(now, new StallTotals(someMicros, fullMicros));
    }
  }

  private @Nullable PressureDecision fire(StallTrigger first, StallTrigger... others) {
    Set<StallTrigger> fired = EnumSet.of(first, others);
    policy.sample(now, new StallTotals(someMicros, fullMicros));
    return policy.fired(now, fired, () -> available);
  }
}
