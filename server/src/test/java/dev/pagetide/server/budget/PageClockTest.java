package dev.pagetide.server.budget;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** The moment by which a sweep knows what was stopped before it. */
final class PageClockTest {
  @Test
  void passedNanos_coarseClock_isBeforeWhateverIsReadLater() {
    AtomicLong reads = new AtomicLong();
    PageClock coarse = () -> reads.getAndIncrement() / 16;
    for (int before = 0; before < 16; before++) {
      long first = coarse.nanos();

      long passed = coarse.passedNanos();

      assertThat(passed).isGreaterThanOrEqualTo(first).isLessThan(coarse.nanos());
    }
  }

  @Test
  void passedNanos_systemClock_isBeforeWhateverIsReadLater() {
    for (int i = 0; i < 10_000; i++) {
      long first = PageClock.MONOTONIC.nanos();

      long passed = PageClock.MONOTONIC.passedNanos();

      assertThat(passed).isGreaterThanOrEqualTo(first).isLessThan(PageClock.MONOTONIC.nanos());
    }
  }

  @Test
  void passedNanos_clockThatStands_isWhatItShows() {
    PageClock standing = () -> 7;

    assertThat(standing.passedNanos()).isEqualTo(7);
  }
}
