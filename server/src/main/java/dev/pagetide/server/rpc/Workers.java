package dev.pagetide.server.rpc;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The threads for work that may take longer than an event loop can be kept busy: allocating,
 * reclaiming, large copies, opening and ending sessions.
 *
 * <p>They are platform threads, because a native call would block the carrier of a virtual thread.
 * Ending sessions has threads of its own, so that memory comes back even while every other thread
 * waits for memory. The limits on requests in flight and on sessions bound the queues of these
 * threads.
 */
final class Workers implements AutoCloseable {
  private final ThreadPoolExecutor requests;
  private final ThreadPoolExecutor endings;
  private final ScheduledThreadPoolExecutor timer;

  /** Starts all threads, so that a lack of threads shows when the server starts. */
  Workers(int requestThreads) {
    this.requests = pool(requestThreads, "pagetide-request-");
    this.endings = pool(1, "pagetide-ending-");
    this.timer = new ScheduledThreadPoolExecutor(1, named("pagetide-timer-"));
    var _ = requests.prestartAllCoreThreads();
    var _ = endings.prestartAllCoreThreads();
    var _ = timer.prestartCoreThread();
    timer.setRemoveOnCancelPolicy(true);
  }

  private static ThreadPoolExecutor pool(int threads, String prefix) {
    return new ThreadPoolExecutor(
        threads, threads, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named(prefix));
  }

  private static ThreadFactory named(String prefix) {
    return Thread.ofPlatform().daemon().name(prefix, 0).factory();
  }

  /** For requests that allocate, reclaim, or copy much. */
  Executor requests() {
    return requests;
  }

  /** For sessions that end. */
  Executor endings() {
    return endings;
  }

  /** For transactions whose time is up. */
  ScheduledExecutorService timer() {
    return timer;
  }

  /** Lets submitted work finish; work that is scheduled for later does not run. */
  @Override
  public void close() {
    timer.shutdownNow();
    requests.shutdown();
    endings.shutdown();
    try {
      requests.awaitTermination(5, TimeUnit.SECONDS);
      endings.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
