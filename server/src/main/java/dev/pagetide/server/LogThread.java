package dev.pagetide.server;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The thread that writes what threads which serve clients have to say, because standard error may
 * be a pipe that nobody reads. Thread-safe; its methods do not block and throw nothing.
 */
final class LogThread implements AutoCloseable {
  /** Lines that wait to be written; more are dropped, because nobody reads them. */
  static final int MOST_LINES = 1_000;

  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("pagetide-log").factory());

  /** LOCKS: a leaf; nothing is logged under it. */
  @GuardedBy("this")
  private final Deque<Runnable> lines = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean closed;

  /** Starts the thread here, because starting it with the first line could fail or take long. */
  LogThread() {
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    int _ = timer.prestartAllCoreThreads();
  }

  /** Writes a line soon, after those before it. */
  void write(Runnable line) {
    synchronized (this) {
      if (closed || lines.size() == MOST_LINES) {
        return;
      }
      lines.add(line);
    }
    runLater(this::writeAll, 0);
  }

  /** Runs something short on this thread, unless that is closed before. */
  void runLater(Runnable task, long nanos) {
    try {
      var _ = timer.schedule(task, nanos, TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      // Closed meanwhile, and what was left has been written; or the next line's turn writes it.
    }
  }

  private void writeAll() {
    for (Runnable line = next(); line != null; line = next()) {
      line.run();
    }
  }

  private synchronized @Nullable Runnable next() {
    return lines.poll();
  }

  /** Writes what is left, after the line that is being written unless nobody reads that. */
  @Override
  public void close() {
    timer.shutdown();
    synchronized (this) {
      closed = true;
    }
    try {
      var _ = timer.awaitTermination(1, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    writeAll();
  }
}
