package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Lines that no thread which serves a client waits for. */
final class LogThreadTest {
  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("pagetide-log"))
        .count();
  }

  @Test
  void write_first_startsNoThread() {
    long before = threads();
    try (LogThread log = new LogThread()) {
      assertThat(threads()).as("as soon as it is there").isEqualTo(before + 1);

      log.write(() -> {});

      assertThat(threads()).isEqualTo(before + 1);
    }
  }

  @Test
  void write_whileALineBlocks_returnsAndTheRestIsWrittenInOrder() throws InterruptedException {
    List<Integer> written = new ArrayList<>();
    CountDownLatch blocked = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CountDownLatch done = new CountDownLatch(1);
    try (LogThread log = new LogThread()) {
      log.write(() -> {
        blocked.countDown();
        await(goOn);
      });
      await(blocked);

      for (int line = 0; line < 10; line++) {
        int number = line;
        log.write(() -> written.add(number));
      }
      log.write(done::countDown);
      assertThat(written).isEmpty();
      goOn.countDown();
      await(done);

      assertThat(written).isEqualTo(IntStream.range(0, 10).boxed().toList());
    }
  }

  @Test
  void write_moreThanMayWait_dropsTheRestAndCloseWritesWhatWaits() throws InterruptedException {
    AtomicInteger written = new AtomicInteger();
    CountDownLatch blocked = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    LogThread log = new LogThread();
    log.write(() -> {
      blocked.countDown();
      await(goOn);
    });
    await(blocked);
    for (int line = 0; line < LogThread.MOST_LINES + 10; line++) {
      log.write(written::incrementAndGet);
    }

    log.close();

    assertThat(written).hasValue(LogThread.MOST_LINES);
    log.write(written::incrementAndGet);
    log.runLater(written::incrementAndGet, 0);
    goOn.countDown();
    assertThat(written).hasValue(LogThread.MOST_LINES);
  }

  private static void await(CountDownLatch latch) {
    boolean interrupted = false;
    while (true) {
      try {
        latch.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
