package dev.pagetide.server.page;

import java.util.concurrent.CountDownLatch;

/** A range's lock in the hands of another thread, from the constructor's return to the close. */
final class HeldLock implements AutoCloseable {
  private final CountDownLatch release = new CountDownLatch(1);
  private final Thread holder;

  HeldLock(ShrinkablePageRange range) {
    CountDownLatch held = new CountDownLatch(1);
    holder =
        Thread.ofPlatform()
            .start(() -> {
              range.pages().lock.lock();
              try {
                held.countDown();
                awaitQuietly(release);
              } finally {
                range.pages().lock.unlock();
              }
            });
    awaitQuietly(held);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError("interrupted", e);
    }
  }

  @Override
  public void close() {
    release();
  }

  /** Lets the lock go before the close; returns once it is free. */
  void release() {
    release.countDown();
    try {
      holder.join();
    } catch (InterruptedException e) {
      throw new AssertionError("interrupted", e);
    }
  }
}
