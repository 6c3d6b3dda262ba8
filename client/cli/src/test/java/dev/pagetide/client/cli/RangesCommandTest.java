package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.RangeMode;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.Transport;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The table of live ranges, whose names come from strangers. */
final class RangesCommandTest {

  private static RangeStatus range(long id, String name) {
    return new RangeStatus(
        id,
        name,
        4711,
        1000,
        RangeMode.PAGES,
        Instant.parse("2026-01-02T03:04:05.678Z"),
        1,
        2,
        3,
        6,
        0,
        0,
        Transport.UNIX,
        Optional.of(Duration.ofSeconds(5)));
  }

  @Test
  void table_namesThatWouldSteerATerminal_areHarmless() {
    String hostile = "a\u001b[2Jb\nc\u202ed\u009be\\\u0007\u200b";

    List<String> lines = RangesCommand.table(List.of(range(1, hostile)));

    assertThat(lines).hasSize(2);
    assertThat(lines.get(1))
        .endsWith("a\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{9b}e\\\\\\u{7}\\u{200b}")
        .matches("\\P{C}+");
  }

  @Test
  void table_ordinaryName_isShownAsItIs() {
    assertThat(RangesCommand.table(List.of(range(1, "café ☕"))).get(1)).endsWith("café ☕");
  }

  @Test
  void table_unsignedIds_areUnsigned() {
    assertThat(RangesCommand.table(List.of(range(-1, ""))).get(1))
        .startsWith("18446744073709551615");
  }

  @Test
  void table_noRange_isItsHeadOnly() {
    assertThat(RangesCommand.table(List.of())).hasSize(1).first().asString().startsWith("RANGE");
  }
}
