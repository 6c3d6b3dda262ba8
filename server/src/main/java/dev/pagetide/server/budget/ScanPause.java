package dev.pagetide.server.budget;

import java.util.concurrent.TimeUnit;

/**
 * How long the server pauses between two scans for the allocation queue. Confined to one thread.
 *
 * <p>A scan that finds nothing has walked through all page tables. So the pause doubles after each
 * scan that gained nothing, until scans take a twentieth of the time. If the tables are small, the
 * pause stays at its minimum.
 */
final class ScanPause {
  /** The shortest time until a page is found that a client stopped without telling the server. */
  static final long MIN_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** Half of the time that a request to use pages waits by default. */
  static final long MAX_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private static final long PAUSE_FOR_EACH_NANO = 20;

  /** The same if there is a reason to scan again: scans then take a fifth of the time. */
  private static final long LEAST_FOR_EACH_NANO = 4;

  private long nanos = MIN_NANOS;
  private long least = MIN_NANOS;

  /**
   * The pause after a scan.
   *
   * @param gained whether the scan brought any page
   * @param costNanos how long the scan took
   */
  long after(boolean gained, long costNanos) {
    long cost = Math.clamp(costNanos, 0, MAX_NANOS);
    least = Math.clamp(LEAST_FOR_EACH_NANO * cost, MIN_NANOS, MAX_NANOS);
    if (gained) {
      nanos = MIN_NANOS;
    } else {
      long most = Math.clamp(PAUSE_FOR_EACH_NANO * cost, MIN_NANOS, MAX_NANOS);
      nanos = Math.min(2 * nanos, most);
    }
    return nanos;
  }

  /** The part of the pause that is kept if something may have changed. */
  long least() {
    return least;
  }
}
