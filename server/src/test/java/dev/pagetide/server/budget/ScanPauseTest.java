package dev.pagetide.server.budget;

import static java.util.concurrent.TimeUnit.MICROSECONDS;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** How long the line rests between two scans. */
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
}
