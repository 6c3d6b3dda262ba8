package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.pagetide.server.session.Peer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class CutOffLogTest {
  private static final Peer CLIENT = Peer.unix(1000, 42);

  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          lines.add(event.getFormattedMessage());
        }
      };

  @BeforeEach
  void listen() {
    appender.start();
    logger().addAppender(appender);
    logger().setAdditive(false);
  }

  @AfterEach
  void stopListening() {
    logger().setAdditive(true);
    var _ = logger().detachAppender(appender);
  }

  private static Logger logger() {
    return (Logger) LoggerFactory.getLogger(CutOffLog.class);
  }

  @Test
  void cutOff_aFlood_isAFewLinesAndTheNumberOfTheRest() {
    try (LogTimer timer = new LogTimer();
        CutOffLog log = new CutOffLog(timer, Duration.ofHours(1))) {
      for (int i = 0; i < 100_000; i++) {
        log.cutOff(CLIENT, "--max-sessions", "4 sessions are open");
      }
      log.cutOff(Peer.TCP, "--max-handoffs", "busy");
    }

    assertThat(lines)
        .hasSize(CutOffLog.MOST_LINES + 2)
        .contains(
            "client cut off: uid=1000 pid=42 limit=--max-sessions: 4 sessions are open",
            "client cut off: by TCP limit=--max-handoffs: busy",
            "clients cut off: limit=--max-sessions: %d more within 3600 s"
                .formatted(100_000 - CutOffLog.MOST_LINES));
  }

  @Test
  void cutOff_afterItsWindow_tellsTheRestAndBeginsAgain() {
    try (LogTimer timer = new LogTimer();
        CutOffLog log = new CutOffLog(timer, Duration.ofMillis(1))) {
      Awaitility.await()
          .until(() -> {
            for (int i = 0; i < 100; i++) {
              log.cutOff(CLIENT, "--max-sessions", "full");
            }
            return lines.stream().filter(line -> line.endsWith("more within 0 s")).count() >= 2;
          });
    }
  }
}
