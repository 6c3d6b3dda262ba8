package dev.pagetide.client.cli;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * One line on standard error about work that takes a while. It is removed when the work is done.
 * Nothing is written if standard error is not a terminal, or if the work is done at once.
 *
 * <p>Thread-safe.
 */
public final class Progress implements AutoCloseable {
  private static final long PATIENCE_MILLIS = 500;
  private static final long REFRESH_MILLIS = 200;
  private static final long PERCENT = 100;
  private static final String CLEARED = "\r\u001b[K";

  private final PrintStream err;
  private final String work;
  private final long totalBytes;
  private final long startNanos = System.nanoTime();
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile long doneBytes;

  @GuardedBy("this")
  private boolean shown;

  private Progress(PrintStream err, String work, long totalBytes) {
    this.err = err;
    this.work = work;
    this.totalBytes = totalBytes;
  }

  /**
   * Work begins.
   *
   * @param work what it is, in a few words that are safe to show
   * @param totalBytes how many bytes are to be moved; 0 if moving bytes is not what takes the time
   */
  public static Progress begin(CommandIo io, String work, long totalBytes) {
    return begin(io, work, totalBytes, PATIENCE_MILLIS);
  }

  /** As above; writes nothing in the first {@code patienceMillis}. */
  static Progress begin(CommandIo io, String work, long totalBytes, long patienceMillis) {
    Progress progress = new Progress(io.err(), work, totalBytes);
    if (io.errTerminal()) {
      Thread.ofPlatform().daemon().name("progress").start(() -> progress.tell(patienceMillis));
    }
    return progress;
  }

  /**
   * As {@link #begin}, for work that writes to standard output. Writes nothing if that is the same
   * terminal, so that the two do not mix.
   */
  static Progress besideOutput(CommandIo io, String work, long totalBytes) {
    return io.terminal() ? new Progress(io.err(), work, totalBytes) : begin(io, work, totalBytes);
  }

  /** {@code bytes} are done so far. */
  void at(long bytes) {
    doneBytes = bytes;
  }

  private void tell(long patienceMillis) {
    try {
      long pause = patienceMillis;
      while (!ended.await(pause, TimeUnit.MILLISECONDS)) {
        show();
        pause = REFRESH_MILLIS;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized void show() {
    if (ended.getCount() > 0) {
      Duration elapsed = Duration.ofNanos(System.nanoTime() - startNanos);
      err.print(CLEARED + line(work, doneBytes, totalBytes, elapsed));
      err.flush();
      shown = true;
    }
  }

  /** The text of the line; a pure function. */
  static String line(String work, long doneBytes, long totalBytes, Duration elapsed) {
    if (totalBytes <= 0) {
      return work + ", " + HumanUnits.age(elapsed);
    }
    return work
        + ": "
        + HumanUnits.bytes((double) doneBytes)
        + " of "
        + HumanUnits.bytes((double) totalBytes)
        + ", "
        + (long) ((double) doneBytes / totalBytes * PERCENT)
        + " %, "
        + HumanUnits.age(elapsed);
  }

  /** Removes the line, because the work is done or has failed. */
  @Override
  public synchronized void close() {
    ended.countDown();
    if (shown) {
      err.print(CLEARED);
      err.flush();
      shown = false;
    }
  }
}
