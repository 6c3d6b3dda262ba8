package dev.pagetide.server.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A loop that does not take its turns, among others that do. */
final class LoopWatchTest {
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(3, EpollIoHandler.newFactory());
  private final AtomicLong nanos = new AtomicLong(1_000);
  private final LoopWatch watch = LoopWatch.withoutTimer(nanos::get);

  @AfterEach
  void close() {
    watch.close();
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }

  private void pass(long seconds) {
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
  }

  @Test
  void longestStallSeconds_oneLoopIsHeld_growsAndIsToldForAMinuteAfterItRunsAgain() {
    watch.watch(loops);
    CountDownLatch held = new CountDownLatch(1);
    loops.next().execute(() -> awaitUninterruptibly(held));

    watch.ask();
    pass(3);
    watch.ask();
    pass(4);
    Awaitility.await().until(() -> watch.longestStallSeconds() == 7);
    held.countDown();
    loops.forEach(loop -> loop.submit(() -> {}).syncUninterruptibly());

    pass(LoopWatch.TOLD_FOR_SECONDS);
    assertThat(watch.longestStallSeconds()).isEqualTo(7);
    pass(1);
    assertThat(watch.longestStallSeconds()).isZero();
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void longestStallSeconds_loopsHaveEnded_isZero() {
    watch.watch(loops);
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();

    watch.ask();
    pass(5);

    assertThat(watch.longestStallSeconds()).isZero();
  }

  @Test
  void start_loopIsHeld_isAskedByAThreadOfItsOwn() {
    try (LoopWatch running = LoopWatch.start()) {
      running.watch(loops);
      CountDownLatch held = new CountDownLatch(1);
      loops.next().execute(() -> awaitUninterruptibly(held));

      Awaitility.await().until(() -> running.longestStallSeconds() > 0);
      held.countDown();
    }
  }
}
