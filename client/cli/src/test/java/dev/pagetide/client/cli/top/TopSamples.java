package dev.pagetide.client.cli.top;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeMode;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ReclaimTrigger;
import dev.pagetide.client.Transport;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Answers that no server had to give. */
final class TopSamples {
  static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
  private static final long SECOND_NANOS = 1_000_000_000L;

  private TopSamples() {}

  /** A name that would clear a screen, move its cursor, change its title and hide text. */
  static final String HOSTILE = "a\u001b[2J\u001b[1;1Hb\u001b]0;t\u0007\r\n\u009b31m\u202ec\"\\";

  static RangeStatus range(long id, String name, int free, int available, int used) {
    return new RangeStatus(
        id,
        name,
        4_194_303,
        65_534,
        RangeMode.BUFFERS,
        NOON.minusSeconds(3_700 + id),
        free,
        available,
        used,
        available + used,
        0,
        0,
        Transport.UNIX,
        used > 0 ? Optional.of(Duration.ofMillis(1_234 * Math.abs(id))) : Optional.empty());
  }

  static RangeStatus trespasser(long id, String name, long strays, long contradictions) {
    return new RangeStatus(
        id,
        name,
        0,
        0,
        RangeMode.PAGES,
        NOON.minusSeconds(5),
        1024,
        0,
        0,
        0,
        strays,
        contradictions,
        Transport.TCP,
        Optional.empty());
  }

  static TopSnapshot snapshot(
      int second, List<RangeStatus> ranges, Map<ReclaimTrigger, Long> back) {
    MemoryStatus memory = new MemoryStatus(1_000, 3_000, 4_000, 2, back, 4096);
    return new TopSnapshot(NOON.plusSeconds(second), second * SECOND_NANOS, memory, ranges);
  }

  static TopState state(RangeStatus... ranges) {
    return TopState.NOTHING.answered(snapshot(0, List.of(ranges), Map.of()));
  }
}
