package dev.pagetide.server.page;

import static java.util.concurrent.TimeUnit.MICROSECONDS;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How often the server scans for those who wait. */
final class ScanPauseTest {
  @Test
  void after_scansThatGainNothing_doublesUntilTheyTakeATwentieth() {
    ScanPause pause = new ScanPause();
    long cost = MILLISECONDS.toNanos(5);

    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(20));
    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(40));
    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(80));
    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(100));
    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(100));
    assertThat(pause.after(true, cost)).isEqualTo(ScanPause.MIN_NANOS);
    assertThat(pause.after(false, cost)).isEqualTo(MILLISECONDS.toNanos(20));
  }

  @Test
  void after_scansThatCostLittle_staysAtItsLeast() {
    ScanPause pause = new ScanPause();

    for (int i = 0; i < 10; i++) {
      assertThat(pause.after(false, MICROSECONDS.toNanos(50))).isEqualTo(ScanPause.MIN_NANOS);
    }
  }

  @Test
  void after_scansThatTakeSeconds_isBounded() {
    ScanPause pause = new ScanPause();
    for (int i = 0; i < 100; i++) {
      assertThat(pause.after(false, SECONDS.toNanos(5))).isLessThanOrEqualTo(ScanPause.MAX_NANOS);
    }

    assertThat(pause.after(false, Long.MAX_VALUE)).isEqualTo(ScanPause.MAX_NANOS);
    assertThat(pause.least()).isEqualTo(ScanPause.MAX_NANOS);
    assertThat(pause.after(false, -1)).isEqualTo(ScanPause.MIN_NANOS);
  }

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
        scene.time.addAndGet(ScanPause.MIN_NANOS);
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
