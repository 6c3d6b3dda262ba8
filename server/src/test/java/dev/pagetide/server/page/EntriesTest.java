package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Promise 27 at its root: nobody is inside once it is shut, and one closer alone has shut it. */
final class EntriesTest {
  @Test
  void shutAndAwait_nobodyInside_shutsOnce() {
    Entries entries = new Entries();
    assertThat(entries.isShut()).isFalse();

    assertThat(entries.shutAndAwait()).isTrue();

    assertThat(entries.isShut()).isTrue();
    assertThat(entries.shutAndAwait()).isFalse();
    assertThat(entries.tryEnter()).isFalse();
  }

  @Test
  void tryEnter_open_letsInAgainAfterLeaving() {
    Entries entries = new Entries();

    assertThat(entries.tryEnter()).isTrue();
    assertThat(entries.tryEnter()).isTrue();
    entries.leave();
    entries.leave();

    assertThat(entries.shutAndAwait()).isTrue();
  }

  @Test
  void shutAndAwait_racingManyEntries_returnsWhenTheLastHasLeft() throws InterruptedException {
    for (int round = 0; round < 500; round++) {
      Entries entries = new Entries();
      AtomicInteger inside = new AtomicInteger();
      AtomicBoolean shut = new AtomicBoolean();
      AtomicInteger closers = new AtomicInteger();

      Crowd.run(
          6,
          index -> {
            if (index < 2) {
              if (entries.shutAndAwait()) {
                assertThat(inside).hasValue(0);
                shut.set(true);
                closers.incrementAndGet();
              }
              return;
            }
            while (entries.tryEnter()) {
              inside.incrementAndGet();
              assertThat(shut).isFalse();
              inside.decrementAndGet();
              entries.leave();
            }
          });

      assertThat(closers).hasValue(1);
      assertThat(entries.isShut()).isTrue();
    }
  }

  @Test
  void shutAndAwait_interrupted_keepsTheInterrupt() {
    Entries entries = new Entries();
    Thread.currentThread().interrupt();

    assertThat(entries.shutAndAwait()).isTrue();

    assertThat(Thread.interrupted()).isTrue();
  }
}
