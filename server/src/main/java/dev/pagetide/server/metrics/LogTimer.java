package dev.pagetide.server.metrics;

import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Runs later tasks of a log, such as writing how many lines it left out. Thread-safe. Its methods
 * do not block and throw nothing.
 */
public final class LogTimer implements AutoCloseable {
  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("pagetide-log").factory());

  /** Starts the thread at once, because starting it with the first task could fail or take long. */
  public LogTimer() {
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    int _ = timer.prestartAllCoreThreads();
  }

  /** Runs a short task after some time, unless this is closed before. */
  void runLater(Runnable task, long nanos) {
    try {
      var _ = timer.schedule(task, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      // This was closed meanwhile, or there is no memory for the task.
    }
  }

  /** Runs no further task. Does not wait for a task that is running. */
  @Override
  public void close() {
    timer.shutdown();
  }
}
