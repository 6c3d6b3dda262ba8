package dev.pagetide.server.pressure;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How long a group's working set stayed above a mark each time it passed it, looked at each
 * millisecond by a thread of its own.
 *
 * <p>While the working set is above, what Pagetide has given back since is less than what was
 * needed. So the longest such time is the longest it took to give back what a step had made
 * missing, whatever was eaten in the meantime included.
 */
final class TimeBeyondMark {
  private static final long PERIOD_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private final MemoryGroup group;
  private final long markBytes;
  private final Thread thread;
  private volatile boolean open = true;

  // Written by the thread; read once it has ended.
  private int crossings;
  private long longestNanos;
  private long furthestBytes;
  private long mostSharedBytes;
  private long leastSharedBytes = Long.MAX_VALUE;
  private long longestGapNanos;

  private TimeBeyondMark(MemoryGroup group, long markBytes) {
    this.group = group;
    this.markBytes = markBytes;
    this.thread = Thread.ofPlatform().daemon().unstarted(this::watch);
  }

  static TimeBeyondMark watch(MemoryGroup group, long markBytes) {
    TimeBeyondMark watch = new TimeBeyondMark(group, markBytes);
    watch.thread.start();
    return watch;
  }

  private void watch() {
    long since = -1;
    long before = System.nanoTime();
    while (open) {
      MemoryGroup.Use use;
      try {
        use = group.use();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      long now = System.nanoTime();
      mostSharedBytes = Math.max(mostSharedBytes, use.sharedBytes());
      leastSharedBytes = Math.min(leastSharedBytes, use.sharedBytes());
      long beyond = use.workingSetBytes() - markBytes;
      if (beyond > 0) {
        furthestBytes = Math.max(furthestBytes, beyond);
        if (since < 0) {
          since = before; // it may have been just after the last look
          crossings++;
        }
      }
      if (since >= 0) {
        longestGapNanos = Math.max(longestGapNanos, now - before);
        longestNanos = Math.max(longestNanos, now - since);
        since = beyond > 0 ? since : -1;
      }
      before = now;
      LockSupport.parkNanos(PERIOD_NANOS);
    }
  }

  /** Ends it, and tells what was seen in one line. */
  String end() throws InterruptedException {
    open = false;
    thread.join();
    return ("the mark was passed %d times, by %.1f MiB at the most; the longest until that was"
            + " given back took %.1f ms (meanwhile looked at each %.1f ms at least); shared memory"
            + " from %d down to %d MiB")
        .formatted(
            crossings,
            furthestBytes / (double) (1 << 20),
            longestNanos / 1e6,
            longestGapNanos / 1e6,
            mostSharedBytes >> 20,
            leastSharedBytes >> 20);
  }
}
