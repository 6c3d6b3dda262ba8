package dev.pagetide.server.page;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.QueueByHand;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How often the server scans for those who wait. */
final class ScanPaceTest {
  @Test
  void serveIfDue_scansAreDearAndGainNothing_takeATwentiethOfTheTime() {
    try (WaitingScene scene = new WaitingScene()) {
      scene.sweepNanos = MILLISECONDS.toNanos(10);
      CompletableFuture<PageSpans> use = scene.use(scene.big, 0, 60).result();
      scene.queue.serve();
      scene.scansForWaiters = 0;

      scene.sweeps = 0;
      long start = scene.time.get();
      for (int look = 0; look < 500; look++) {
        scene.time.addAndGet(QueueByHand.MIN_PAUSE_NANOS);
        scene.queue.serveIfDue();
      }

      long took = scene.time.get() - start;
      assertThat(scene.scansForWaiters).isGreaterThan(5);
      assertThat(scene.sweeps * scene.sweepNanos).isLessThan(took / 10);
      assertThat(use).isNotDone();
      use.cancel(true);
    }
  }

  @Test
  void pagesStopped_duringALongPause_endsIt() {
    try (WaitingScene scene = new WaitingScene()) {
      scene.sweepNanos = MILLISECONDS.toNanos(10);
      CompletableFuture<PageSpans> use = scene.use(scene.big, 0, 60).result();
      for (int i = 0; i < 10; i++) {
        scene.queue.serve();
      }
      scene.hog.stopUsingRange(0, 60);
      scene.time.addAndGet(MILLISECONDS.toNanos(400));
      scene.queue.serveIfDue();
      assertThat(use).as("while the pause lasts").isNotDone();

      scene.queue.pagesStopped();
      scene.queue.serveIfDue();

      assertThat(use).isCompleted();
    }
  }

  @Test
  void serveIfDue_timeIsUpDuringALongPause_refusesWithoutAScan() {
    try (WaitingScene scene = new WaitingScene()) {
      CompletableFuture<PageSpans> use = scene.use(scene.big, 0, 60).result();
      scene.time.addAndGet(WaitingScene.WAIT_NANOS - MILLISECONDS.toNanos(600));
      scene.sweepNanos = MILLISECONDS.toNanos(10);
      for (int i = 0; i < 10; i++) {
        scene.queue.serve();
      }
      int scans = scene.scansForWaiters;
      assertThat(use).isNotDone();
      scene.time.addAndGet(MILLISECONDS.toNanos(400));

      scene.queue.serveIfDue();

      assertThat(use).isCompletedExceptionally();
      assertThat(scene.scansForWaiters).isEqualTo(scans);
    }
  }
}
