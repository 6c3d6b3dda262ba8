package dev.pagetide.shm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Counts that threads keep for themselves: none is lost, and none outlives its thread for long. */
final class ThreadCountsTest {
  @Test
  void reused_twoThreadsAtOnce_losesNoCount() throws InterruptedException {
    ThreadCounts counts = new ThreadCounts();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                for (int n = 0; n < 1_000_000; n++) {
                  counts.own().addReused(1);
                  counts.own().addStopped(2);
                }
              }));
    }
    long last = 0;
    while (threads.stream().anyMatch(Thread::isAlive)) {
      long sum = counts.reused();
      assertThat(sum).isGreaterThanOrEqualTo(last);
      last = sum;
    }

    assertThat(counts.reused()).isEqualTo(2_000_000);
    assertThat(counts.stopped()).isEqualTo(4_000_000);
  }

  @Test
  void reused_manyVirtualThreadsThatEnd_keepsTheirCountsAndDropsTheirCells()
      throws InterruptedException {
    ThreadCounts counts = new ThreadCounts();
    for (int round = 0; round < 1_000; round++) {
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        threads.add(
            Thread.startVirtualThread(() -> {
              counts.own().addReused(1);
              LockSupport.parkNanos(1_000); // may go on elsewhere
              counts.own().addReused(2);
            }));
      }
      for (Thread thread : threads) {
        thread.join();
      }
    }

    assertThat(counts.reused()).isEqualTo(30_000);
    assertThat(counts.stopped()).isZero();
    assertThat(counts.cellCount()).isLessThanOrEqualTo(64);
  }
}
