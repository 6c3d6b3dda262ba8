package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.page.Seeds;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ShortfallPolicyTest {
  /** Readings are in MiB, so that the least slack is small beside the reserve. */
  private static final long MIB = RecordedHost.MIB;

  private static final long RESERVE = 800 * MIB;

  @Test
  void read_groupFillsUp_entersEachLevelAboveItsMark() {
    ShortfallPolicy policy = ShortfallPolicy.ofGroup(RESERVE);

    assertReading(policy, Long.MIN_VALUE, 0, PressureLevel.NONE);
    assertReading(policy, 0, 0, PressureLevel.NONE);
    assertReading(policy, 1, 401, PressureLevel.LOW);
    assertReading(policy, 400, 800, PressureLevel.LOW);
    assertReading(policy, 401, 801, PressureLevel.MEDIUM);
    assertReading(policy, 800, 1200, PressureLevel.MEDIUM);
    assertReading(policy, 801, 1201, PressureLevel.CRITICAL);
  }

  @Test
  void read_groupEmpties_leavesEachLevelHalfAReserveLower() {
    ShortfallPolicy policy = ShortfallPolicy.ofGroup(RESERVE);
    assertReading(policy, 900, 1300, PressureLevel.CRITICAL);

    assertReading(policy, 401, 801, PressureLevel.CRITICAL);
    assertReading(policy, 400, 800, PressureLevel.MEDIUM);
    assertReading(policy, 1, 401, PressureLevel.MEDIUM);
    assertReading(policy, 0, 400, PressureLevel.LOW);
    assertReading(policy, -399, 1, PressureLevel.LOW);
    assertReading(policy, -400, 0, PressureLevel.NONE);
    assertReading(policy, -1, 0, PressureLevel.NONE);
  }

  @Test
  void read_steepChange_skipsLevels() {
    ShortfallPolicy policy = ShortfallPolicy.ofGroup(RESERVE);

    assertReading(policy, 5000, 5400, PressureLevel.CRITICAL);
    assertReading(policy, Long.MIN_VALUE, 0, PressureLevel.NONE);
  }

  @Test
  void read_machine_isCriticalWhereThreeQuartersOfTheReserveAreGone() {
    ShortfallPolicy policy = ShortfallPolicy.ofMachine(RESERVE);

    assertReading(policy, 400, 800, PressureLevel.LOW);
    assertReading(policy, 600, 1000, PressureLevel.MEDIUM);
    assertReading(policy, 601, 1001, PressureLevel.CRITICAL);
    assertReading(policy, 200, 600, PressureLevel.MEDIUM);
    assertReading(policy, -400, 0, PressureLevel.NONE);
  }

  @Test
  void read_noReserve_endsTheLeastSlackBelowTheMark() {
    long slack = ShortfallPolicy.LEAST_SLACK_BYTES / MIB;
    ShortfallPolicy policy = ShortfallPolicy.ofGroup(0);

    assertReading(policy, 0, 0, PressureLevel.NONE);
    assertReading(policy, 1, 1 + slack, PressureLevel.CRITICAL);
    assertReading(policy, 0, slack, PressureLevel.CRITICAL);
    assertReading(policy, 1 - slack, 1, PressureLevel.CRITICAL);
    assertReading(policy, -slack, 0, PressureLevel.NONE);
    assertReading(policy, 0, 0, PressureLevel.NONE);
  }

  /**
   * A group whose use wavers by 128 KiB about its mark: one episode, not a line in the log each.
   */
  @ParameterizedTest
  @ValueSource(longs = {0, 1, 2 * MIB, 64 * MIB})
  void read_useWaversAboutTheMark_changesTheLevelOnce(long reserveBytes) {
    long seed = Seeds.next();
    Random random = new Random(seed);
    for (ShortfallPolicy policy :
        List.of(ShortfallPolicy.ofGroup(reserveBytes), ShortfallPolicy.ofMachine(reserveBytes))) {
      policy.read(4096); // just beyond
      PressureLevel first = policy.level();
      assertThat(first).isNotEqualTo(PressureLevel.NONE);
      int changes = 0;
      PressureLevel last = first;
      for (int i = 0; i < 400; i++) {
        policy.read((random.nextInt(65) - 32) * 4096L);
        changes += policy.level() == last ? 0 : 1;
        last = policy.level();
      }

      assertThat(changes).as("changes, seed %d", seed).isLessThanOrEqualTo(1);
      assertThat(last).isGreaterThanOrEqualTo(first);
    }
  }

  @Test
  void groupMarkBytes_anyLimit_isOneAndAHalfReservesBelowIt() {
    assertThat(ShortfallPolicy.groupMarkBytes(10_000, 800)).isEqualTo(8_800);
    assertThat(ShortfallPolicy.groupMarkBytes(10_000, 0)).isEqualTo(10_000);
    assertThat(ShortfallPolicy.groupMarkBytes(Long.MAX_VALUE, 800)).isEqualTo(Long.MAX_VALUE);
  }

  private static void assertReading(
      ShortfallPolicy policy, long passedMib, long missingMib, PressureLevel level) {
    long passed = passedMib == Long.MIN_VALUE ? passedMib : passedMib * MIB;
    assertThat(policy.read(passed)).as("missing at %d", passedMib).isEqualTo(missingMib * MIB);
    assertThat(policy.level()).as("level at %d", passedMib).isEqualTo(level);
  }
}
