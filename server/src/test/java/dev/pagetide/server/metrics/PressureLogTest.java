package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class PressureLogTest {
  private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
  private final PressureLog log = new PressureLog();

  @BeforeEach
  void listen() {
    lines.start();
    logger().addAppender(lines);
    logger().setAdditive(false);
  }

  @AfterEach
  void stopListening() {
    logger().setAdditive(true);
    var _ = logger().detachAppender(lines);
  }

  private static Logger logger() {
    return (Logger) LoggerFactory.getLogger(PressureLog.class);
  }

  @Test
  void levelChanged_oneEpisode_isTwoLinesHoweverManyDecisions() {
    log.levelChanged(PressureKind.CGROUP, PressureLevel.LOW);
    for (int i = 0; i < 100; i++) {
      log.decided(ReclaimTrigger.CGROUP, PressureLevel.LOW, 20, 10, false);
    }
    log.levelChanged(PressureKind.CGROUP, PressureLevel.CRITICAL);
    log.levelChanged(PressureKind.CGROUP, PressureLevel.MEDIUM);
    log.levelChanged(PressureKind.CGROUP, PressureLevel.NONE);

    assertThat(messages())
        .containsExactly(
            "memory pressure: source=cgroup level=low",
            "memory pressure over: source=cgroup worst=critical reclaimed=1000 pages");
  }

  @Test
  void levelChanged_dryRun_saysWhatWouldHaveBeenTaken() {
    log.levelChanged(PressureKind.PSI, PressureLevel.MEDIUM);
    log.levelChanged(PressureKind.MEMAVAILABLE, PressureLevel.LOW);
    log.decided(ReclaimTrigger.PSI_SOME, PressureLevel.MEDIUM, 70, 0, true);
    log.decided(ReclaimTrigger.PSI_FULL, PressureLevel.MEDIUM, 30, 0, true);
    log.levelChanged(PressureKind.PSI, PressureLevel.NONE);

    assertThat(messages())
        .last()
        .isEqualTo(
            "memory pressure over: source=psi worst=medium reclaimed=0 pages; without"
                + " --pressure=dry-run it would have been 100");
  }

  @Test
  void failed_againAndAgain_isTheFirstAndEachThousandth() {
    for (int i = 0; i < 2500; i++) {
      log.failed(PressureKind.CGROUP, new IOException("gone"));
    }

    assertThat(messages())
        .containsExactly(
            "memory pressure: source=cgroup failed; it is tried again",
            "memory pressure: source=cgroup failed 1000 times: java.io.IOException: gone",
            "memory pressure: source=cgroup failed 2000 times: java.io.IOException: gone");
  }

  @Test
  void tellMissing_someSources_isOneLine() {
    Map<PressureKind, String> missing = new EnumMap<>(PressureKind.class);
    PressureLog.tellMissing(missing);
    assertThat(messages()).isEmpty();

    missing.put(PressureKind.PSI, "there is no file");
    missing.put(PressureKind.CGROUP, "no group");
    PressureLog.tellMissing(missing);

    assertThat(messages())
        .containsExactly(
            "memory pressure: this host lacks psi (there is no file), cgroup (no group)");
  }

  private List<String> messages() {
    return lines.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
  }
}
