package dev.pagetide.server.metrics;

import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Runs what a log has to do later, such as counting what it left out. Thread-safe; its methods do
 * not block and throw nothing.
 */
public final class LogTimer implements AutoCloseable {
  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("pagetide-log").factory());

  /** Starts the thread here, because starting it with the first task could fail or take long. */
  public LogTimer() {
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    int _ = timer.prestartAllCoreThreads();
  }

  /** Runs something short, unless this is closed before. */
  void runLater(Runnable task, long nanos) {
    try {
      var _ = timer.schedule(task, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      // Closed meanwhile; or there is no memory for a task of the log.
    }
  }

  /** Runs nothing more. Does not wait for what is running. */
  @Override
  public void close() {
    timer.shutdown();
  }
}
