package dev.pagetide.server.pressure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read of the kernel's texts of stalls. */
final class StallTotalsTest {
  private static final String STALLS =
      """
      some avg10=0.12 avg60=0.05 avg300=0.01 total=1234567
      full avg10=0.00 avg60=0.00 avg300=0.00 total=89
      """;

  @Test
  void parse_stallsWithFull_areBothTotals() throws IOException {
    StallTotals totals = StallTotals.parse(STALLS);

    assertThat(totals).isEqualTo(new StallTotals(1234567, 89));
    assertThat(totals.of(StallTrigger.SOME_70)).isEqualTo(1234567);
    assertThat(totals.of(StallTrigger.SOME_100)).isEqualTo(1234567);
    assertThat(totals.of(StallTrigger.FULL_100)).isEqualTo(89);
  }

  @Test
  void parse_stallsWithoutFull_haveNoneOfIt() throws IOException {
    assertThat(StallTotals.parse(STALLS.lines().findFirst().orElseThrow()))
        .isEqualTo(new StallTotals(1234567, 0));
  }

  @Test
  void of_triggers_areThoseOfTheSourcesAndNoOther() {
    assertThat(PressureKind.of(ReclaimTrigger.PSI_FULL)).isEqualTo(PressureKind.PSI);
    assertThat(PressureKind.of(ReclaimTrigger.CGROUP)).isEqualTo(PressureKind.CGROUP);
    assertThatThrownBy(() -> PressureKind.of(ReclaimTrigger.WAITER))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("WAITER is no pressure of the host");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "some avg10=0.00\n", "full avg10=0.00 total=1\n", "some total=x\n"})
  void parse_otherText_isRefused(String text) {
    assertThatThrownBy(() -> StallTotals.parse(text)).isInstanceOf(IOException.class);
  }
}
