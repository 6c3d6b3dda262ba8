package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The guard of every close: nobody is inside once it is shut, and one closer alone has shut it. */
@Promise(27)
final class CloseGuardTest {
  @Test
  void shutAndAwait_nobodyInside_shutsOnce() {
    CloseGuard guard = new CloseGuard();
    assertThat(guard.isShut()).isFalse();

    assertThat(guard.shutAndAwait()).isTrue();

    assertThat(guard.isShut()).isTrue();
    assertThat(guard.shutAndAwait()).isFalse();
    assertThat(guard.tryEnter()).isFalse();
  }

  @Test
  void tryEnter_open_letsInAgainAfterLeaving() {
    CloseGuard guard = new CloseGuard();

    assertThat(guard.tryEnter()).isTrue();
    assertThat(guard.tryEnter()).isTrue();
    guard.leave();
    guard.leave();

    assertThat(guard.shutAndAwait()).isTrue();
  }

  @Test
  void shutAndAwait_racingManyEntries_returnsWhenTheLastHasLeft() throws InterruptedException {
    for (int round = 0; round < 500; round++) {
      CloseGuard guard = new CloseGuard();
      AtomicInteger inside = new AtomicInteger();
      AtomicBoolean shut = new AtomicBoolean();
      AtomicInteger closers = new AtomicInteger();

      Crowd.run(
          6,
          index -> {
            if (index < 2) {
              if (guard.shutAndAwait()) {
                assertThat(inside).hasValue(0);
                shut.set(true);
                closers.incrementAndGet();
              }
              return;
            }
            while (guard.tryEnter()) {
              inside.incrementAndGet();
              assertThat(shut).isFalse();
              inside.decrementAndGet();
              guard.leave();
            }
          });

      assertThat(closers).hasValue(1);
      assertThat(guard.isShut()).isTrue();
    }
  }

  @Test
  void shutAndAwait_interrupted_keepsTheInterrupt() {
    CloseGuard guard = new CloseGuard();
    Thread.currentThread().interrupt();

    assertThat(guard.shutAndAwait()).isTrue();

    assertThat(Thread.interrupted()).isTrue();
  }
}
