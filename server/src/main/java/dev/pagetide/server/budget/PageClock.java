package dev.pagetide.server.budget;

/** The clock that stamps are read from: CLOCK_MONOTONIC, or a test's own. Thread-safe. */
@FunctionalInterface
public interface PageClock {
  /**
   * The system's monotonic clock. HotSpot reads {@code System.nanoTime} from CLOCK_MONOTONIC
   * without an offset of its own, so stamps of this process and of a client in any language
   * compare.
   */
  PageClock MONOTONIC = System::nanoTime;

  /** How often {@link #passedNanos} waits for a tick: some microseconds. */
  int MAX_READS = 250;

  /** Nanoseconds since some fixed moment; never less than any thread has read before. */
  long nanos();

  /**
   * A moment that has passed. Every read of the clock that begins after this call returned, by any
   * thread, gives a later moment. Every read that ended before this call began gave no later
   * moment.
   *
   * <p>This waits for the clock's next tick, some tens of nanoseconds. If the clock does not tick
   * during {@link #MAX_READS} reads, this returns what the clock shows; then other threads may read
   * the same moment.
   */
  default long passedNanos() {
    long shown = nanos();
    for (int read = 0; read < MAX_READS; read++) {
      long next = nanos();
      if (next > shown) {
        return next - 1;
      }
    }
    return shown;
  }
}
