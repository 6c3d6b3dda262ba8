package dev.pagetide.server.page;

/** The clock that stamps are read from: CLOCK_MONOTONIC, or a test's own. Thread-safe. */
@FunctionalInterface
public interface PageClock {
  /**
   * The system's monotonic clock. HotSpot reads {@code System.nanoTime} from CLOCK_MONOTONIC
   * without an offset of its own, so stamps of this process and of a client in any language
   * compare.
   */
  PageClock MONOTONIC = System::nanoTime;

  /** Nanoseconds since some fixed moment; never less than what any thread read before. */
  long nanos();
}
