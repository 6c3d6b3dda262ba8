package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ShortfallPolicyTest {
  private static final long RESERVE = 800;

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
  void read_noReserve_asksForExactlyWhatIsBeyondTheMark() {
    ShortfallPolicy policy = ShortfallPolicy.ofGroup(0);

    assertReading(policy, 0, 0, PressureLevel.NONE);
    assertReading(policy, 1, 1, PressureLevel.CRITICAL);
    assertReading(policy, 0, 0, PressureLevel.NONE);
  }

  @Test
  void groupMarkBytes_limitAndHigh_isTheLowerMark() {
    assertThat(ShortfallPolicy.groupMarkBytes(10_000, Long.MAX_VALUE, RESERVE)).isEqualTo(8_800);
    assertThat(ShortfallPolicy.groupMarkBytes(10_000, 9_000, RESERVE)).isEqualTo(8_800);
    assertThat(ShortfallPolicy.groupMarkBytes(10_000, 5_000, RESERVE)).isEqualTo(5_000);
    assertThat(ShortfallPolicy.groupMarkBytes(Long.MAX_VALUE, 5_000, RESERVE)).isEqualTo(5_000);
    assertThat(ShortfallPolicy.groupMarkBytes(Long.MAX_VALUE, Long.MAX_VALUE, RESERVE))
        .isEqualTo(Long.MAX_VALUE);
  }

  private static void assertReading(
      ShortfallPolicy policy, long passed, long missing, PressureLevel level) {
    assertThat(policy.read(passed)).as("missing at %d", passed).isEqualTo(missing);
    assertThat(policy.level()).as("level at %d", passed).isEqualTo(level);
  }
}
