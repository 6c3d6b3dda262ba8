package dev.pagetide.client;

import java.lang.foreign.Arena;
import java.util.concurrent.locks.LockSupport;

/** The end of a shared arena, now or as soon as it can be. */
final class SegmentLifetime {

  private static final long FIRST_PAUSE_NANOS = 1_000_000;
  private static final long LONGEST_PAUSE_NANOS = 128_000_000;

  private SegmentLifetime() {}

  /**
   * Closes {@code arena}. Where a channel is reading or writing its bytes at this moment, which no
   * close can stop, it is closed as soon as that has ended. Never waits. Calling it again, from any
   * thread, does nothing.
   */
  static void end(Arena arena) {
    if (!tryEnd(arena)) {
      var _ =
          Thread.startVirtualThread(() -> {
            long pause = FIRST_PAUSE_NANOS;
            while (!tryEnd(arena)) {
              LockSupport.parkNanos(pause);
              pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
            }
          });
    }
  }

  private static boolean tryEnd(Arena arena) {
    if (!arena.scope().isAlive()) {
      return true;
    }
    try {
      arena.close();
      return true;
    } catch (IllegalStateException e) {
      return !arena.scope().isAlive(); // another thread has closed it, or its bytes are in use
    }
  }
}
