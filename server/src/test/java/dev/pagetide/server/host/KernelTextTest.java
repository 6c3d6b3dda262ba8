package dev.pagetide.server.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
}
