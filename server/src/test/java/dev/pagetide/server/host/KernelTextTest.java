package dev.pagetide.server.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.StallTotals;
import dev.pagetide.server.pressure.StallTrigger;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts recorded from kernels, shortened. */
final class KernelTextTest {
  private static final String V1_STAT =
      """
      cache 10948608
      inactive_file 135168
      active_file 0
      hierarchical_memory_limit 9223372036854771712
      total_cache 14749696
      total_inactive_file 1355776
      total_active_file 4304896
      """;

  private static final String V2_STAT =
      """
      anon 1302528
      file 14749696
      shmem 9068544
      file_mapped 7614464
      inactive_anon 229376
      inactive_file 135168
      workingset_refault_file 498715
      """;

  private static final String MEMINFO =
      """
      MemTotal:       24684092 kB
      MemFree:        24080916 kB
      MemAvailable:   24276328 kB
      Buffers:            2660 kB
      """;

  private static final String STALLS =
      """
      some avg10=0.12 avg60=0.05 avg300=0.01 total=1234567
      full avg10=0.00 avg60=0.00 avg300=0.00 total=89
      """;

  @Test
  void number_statOfBothVersions_isTheWholeNamesNumber() throws IOException {
    assertThat(KernelText.number(V1_STAT, "inactive_file")).isEqualTo(135168);
    assertThat(KernelText.number(V1_STAT, "total_inactive_file")).isEqualTo(1355776);
    assertThat(KernelText.number(V2_STAT, "inactive_file")).isEqualTo(135168);
    assertThat(KernelText.number(V2_STAT, "file")).isEqualTo(14749696);
  }

  @Test
  void number_meminfo_isTheNumberBeforeItsUnit() throws IOException {
    assertThat(KernelText.number(MEMINFO, "MemAvailable")).isEqualTo(24276328);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "MemFree: 1 kB\n", "MemAvailableX: 1 kB\n", "xMemAvailable: 1 kB\n"})
  void number_noSuchLine_isRefused(String text) {
    assertThatThrownBy(() -> KernelText.number(text, "MemAvailable"))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("no line MemAvailable in '");
  }

  @ParameterizedTest
  @ValueSource(strings = {"MemAvailable:\n", "MemAvailable: x kB\n", "MemAvailable: -5 kB\n"})
  void number_noNumber_isRefused(String text) {
    assertThatThrownBy(() -> KernelText.number(text, "MemAvailable"))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("no number at ");
  }

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
