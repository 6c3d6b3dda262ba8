package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** When the thread of the log starts, and what it runs. */
final class LogTimerTest {
  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("pagetide-log"))
        .count();
  }

  @Test
  void runLater_first_startsNoThread() {
    long before = threads();
    try (LogTimer timer = new LogTimer()) {
      assertThat(threads()).as("as soon as it is there").isEqualTo(before + 1);
      AtomicInteger ran = new AtomicInteger();

      timer.runLater(ran::incrementAndGet, 0);

      await().until(() -> ran.get() == 1);
      assertThat(threads()).isEqualTo(before + 1);
    }
  }

  @Test
  void runLater_closed_isDropped() {
    AtomicInteger ran = new AtomicInteger();
    LogTimer timer = new LogTimer();
    timer.runLater(ran::incrementAndGet, Long.MAX_VALUE / 2);

    timer.close();
    timer.runLater(ran::incrementAndGet, 0);

    await().until(() -> threads() == 0);
    assertThat(ran).hasValue(0);
  }
}
