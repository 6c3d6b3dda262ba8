package dev.pagetide.server.config;

import static dev.pagetide.server.config.OptionReading.GIB;
import static dev.pagetide.server.config.OptionReading.accepted;
import static dev.pagetide.server.config.OptionReading.refused;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.host.HostLimits;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The options that share out memory: which go together, and what is said where they do not. */
final class MemoryOptionsTest {
  @Test
  void read_budgetUnderTheSmallestRange_isRefused() {
    assertThat(accepted("--max-resident-bytes=12288").memory().bytesPerUid()).isEqualTo(12288);
    assertThat(refused("--max-resident-bytes=12287"))
        .containsExactly(
            "--max-resident-bytes=12287: 12287 is below 12288, what a range of one page takes"
                + " (header, table, page); give at least 12288");
  }

  @Test
  void read_budgetOverTheMemory_isRefused() {
    assertThat(refused("--max-resident-bytes=9GiB"))
        .containsExactly(
            "--max-resident-bytes=9GiB: 9663676416 is above 8589934592, the memory this process"
                + " may have; give at most 8589934592");
  }

  @Test
  void read_limitOfUidOverTheBudget_isRefused() {
    assertThat(refused("--max-resident-bytes=1GiB", "--max-resident-bytes-per-uid=2GiB"))
        .containsExactly(
            "--max-resident-bytes-per-uid=2GiB: 2147483648 is above 1073741824, which is"
                + " --max-resident-bytes; give at most 1073741824");
  }

  @Test
  void read_limitOfSessionOverTheUids_isRefused() {
    assertThat(
            refused("--max-resident-bytes-per-session=1GiB", "--max-resident-bytes-per-uid=1MiB"))
        .containsExactly(
            "--max-resident-bytes-per-session=1GiB: 1073741824 is above 1048576, which is"
                + " --max-resident-bytes-per-uid; give at most 1048576");
  }

  @Test
  void read_rangeUnderAPage_isRefused() {
    assertThat(refused("--max-range-bytes=4095")).singleElement().asString().contains("below 4096");
  }

  @Test
  void read_rangeOverTheLayout_isRefused() {
    assertThat(refused("--max-range-bytes=1TiB"))
        .singleElement()
        .asString()
        .contains("above 549755813888");
  }

  @Test
  void read_namedRangeOverABudget_isRefused() {
    assertThat(refused("--max-range-bytes=1GiB", "--max-resident-bytes=1GiB"))
        .containsExactly(
            "--max-resident-bytes=1GiB: budget under one range: 1073741824 is below 1075843072,"
                + " what a range of --max-range-bytes=1GiB takes (header, table, pages); give at"
                + " least 1075843072, or a smaller range");
    assertThat(refused("--max-range-bytes=2GiB"))
        .singleElement()
        .asString()
        .startsWith("--max-resident-bytes=2147483648 (default): budget under one range: ");
  }

  @Test
  void read_namedRangeOverTheLimitOfASession_isAccepted() { // it may use its range in parts
    ServerOptions options =
        accepted("--max-range-bytes=1MiB", "--max-resident-bytes-per-session=1MiB");

    assertThat(options.memory().rangeBytes()).isEqualTo(1 << 20);
    assertThat(options.memory().bytesPerSession()).isEqualTo(1 << 20);
  }

  @Test
  void read_budgetUnderTheDefaultRange_isAccepted() {
    ServerOptions options = accepted("--max-resident-bytes=1MiB");

    assertThat(options.memory().rangeBytes()).isEqualTo(4 << 20);
  }

  @Test
  void read_watermarksNotGiven_followTheBudget() {
    ServerOptions options = accepted("--max-resident-bytes=16MiB");

    assertThat(options.reclaim().lowWatermarkBytes()).isEqualTo(14 << 20);
    assertThat(options.reclaim().highWatermarkBytes()).isEqualTo(15 << 20);
  }

  @Test
  void read_watermarksCrossed_isRefusedNamingBoth() {
    assertThat(refused("--low-watermark=1GiB", "--high-watermark=1GiB"))
        .containsExactly(
            "--low-watermark=1GiB: watermarks crossed: 1073741824 is not below 1073741824, which is"
                + " --high-watermark=1GiB; give --low-watermark less than --high-watermark, and"
                + " that at most --max-resident-bytes (2147483648)");
    assertThat(refused("--low-watermark=2GiB"))
        .singleElement()
        .asString()
        .startsWith("--low-watermark=2GiB: watermarks crossed: 2147483648 is not below 2013265920");
  }

  @Test
  void read_highWatermarkAlone_takesTheLowOneWithIt() {
    ServerOptions options = accepted("--high-watermark=1GiB"); // of a budget of 2 GiB

    assertThat(options.reclaim().lowWatermarkBytes()).isEqualTo((1L << 30) - (128 << 20));
    assertThat(accepted("--high-watermark=1MiB").reclaim().lowWatermarkBytes()).isZero();
  }

  @Test
  void read_watermarkOutOfBounds_isRefused() {
    assertThat(refused("--high-watermark=3GiB"))
        .containsExactly(
            "--high-watermark=3GiB: 3221225472 is above 2147483648, which is"
                + " --max-resident-bytes; give at most 2147483648");
    assertThat(refused("--low-watermark=3GiB"))
        .containsExactly(
            "--low-watermark=3GiB: 3221225472 is above 2147483648, which is"
                + " --max-resident-bytes; give at most 2147483648");
    assertThat(refused("--high-watermark=0"))
        .containsExactly("--high-watermark=0: 0 is below 1, a byte; give at least 1");
  }

  @Test
  void read_reserveOverTheMemory_isRefused() {
    assertThat(accepted("--memory-reserve=0").memory().reserveBytes()).isZero();
    assertThat(refused("--memory-reserve=9GiB"))
        .containsExactly(
            "--memory-reserve=9GiB: 9663676416 is above 8589934592, the memory this process may"
                + " have; give at most 8589934592");
  }

  @Test
  void read_waitsOverAMinute_areRefused() {
    assertThat(refused("--allocation-wait=61s", "--protect-recent=60001ms"))
        .containsExactlyInAnyOrder(
            "--allocation-wait=61s: 61000 ms is above 60000, a minute; give at most 60s",
            "--protect-recent=60001ms: 60001 ms is above 60000, a minute; give at most 60s");
  }

  @Test
  void read_pressureUnknown_isRefused() {
    assertThat(refused("--pressure=maybe"))
        .containsExactly(
            "--pressure=maybe: not one of on, off, dry-run; give on, unless something else answers"
                + " the host's pressure");
  }

  @Test
  void read_budgetHeapAndReserveInAGroup_mustFitBelowItsLimit() {
    HostLimits group = new HostLimits(1000, 4096, GIB, GIB, GIB / 2, 1 << 20, 65530);

    assertThat(
            accepted(group, Map.of(), "--max-resident-bytes=384MiB", "--memory-reserve=128MiB")
                .memory()
                .budgetBytes())
        .isEqualTo(384 << 20);
    assertThat(
            refused(group, Map.of(), "--max-resident-bytes=384MiB", "--memory-reserve=134217729"))
        .containsExactly(
            "--max-resident-bytes=384MiB: budget 402653184 + maximum heap 536870912 + reserve"
                + " 134217729 (--memory-reserve=134217729) are above the control group's limit of"
                + " 1073741824, where the kernel kills; lower the budget, the heap"
                + " (PAGETIDE_JAVA_OPTS=-Xmx...) or the reserve, or raise the limit");
  }

  @Test
  void read_defaultsInAGroupThatTheHeapFills_areRefused() {
    HostLimits group = new HostLimits(1000, 4096, GIB, GIB, GIB, 1 << 20, 65530);

    assertThat(refused(group, Map.of()))
        .singleElement()
        .asString()
        .startsWith("--max-resident-bytes=12288 (default): budget 12288 + maximum heap 1073741824");
  }

  @Test
  void read_budgetNotGivenInASmallGroup_isWhatHeapAndReserveLeave() {
    HostLimits group = new HostLimits(1000, 4096, GIB, GIB, GIB - GIB / 8, 1 << 20, 65530);

    assertThat(accepted(group, Map.of()).memory().budgetBytes()).isEqualTo(GIB / 16);
  }

  @Test
  void read_mistakesThatDoNotHangTogether_namesAllAtOnce() {
    HostLimits group = new HostLimits(1000, 4096, GIB, GIB, GIB, 1 << 20, 65530);

    assertThat(
            refused(
                group,
                Map.of(),
                "--max-resident-bytes=512MiB",
                "--max-resident-bytes-per-uid=1GiB",
                "--max-range-bytes=512MiB",
                "--low-watermark=2MiB",
                "--high-watermark=1MiB",
                "--protect-recent=5"))
        .anySatisfy(problem -> assertThat(problem).contains("per-uid=1GiB: 1073741824 is above"))
        .anySatisfy(problem -> assertThat(problem).contains("budget under one range"))
        .anySatisfy(problem -> assertThat(problem).contains("watermarks crossed"))
        .anySatisfy(problem -> assertThat(problem).contains("above the control group's limit"))
        .anySatisfy(problem -> assertThat(problem).contains("unit missing"))
        .hasSize(5);
    assertThat(
            refused("--max-resident-bytes=1KiB", "--low-watermark=2GiB", "--high-watermark=1GiB"))
        .anySatisfy(problem -> assertThat(problem).contains("watermarks crossed"))
        .hasSize(2);
  }

  @Test
  void read_severalMistakes_namesEachOnceAndNothingThatFollowsFromThem() {
    HostLimits group = new HostLimits(1000, 4096, GIB, GIB, GIB, 1 << 20, 65530);

    List<String> problems =
        refused(
            group,
            Map.of(),
            "--max-resident-bytes=2GB",
            "--low-watermark=1M",
            "--memory-reserve=x",
            "--pressure=yes");

    assertThat(problems).hasSize(4);
    assertThat(problems).noneMatch(problem -> problem.contains("crossed"));
    assertThat(problems).noneMatch(problem -> problem.contains("control group"));
  }
}
