package dev.pagetide.server.pressure;

import dev.pagetide.server.host.KernelText;
import java.io.IOException;

/**
 * For how long tasks have stalled because memory was short, since the machine started.
 *
 * @param someMicros microseconds in which at least one task stalled
 * @param fullMicros microseconds in which all non-idle tasks stalled
 */
record StallTotals(long someMicros, long fullMicros) {
  /**
   * Reads the kernel's text. It has a line {@code some} and, on most kernels, a line {@code full}.
   */
  static StallTotals parse(String text) throws IOException {
    long some = KernelText.numberIn(text, "some", "total=");
    boolean hasFull = text.startsWith("full ") || text.contains("\nfull ");
    return new StallTotals(some, hasFull ? KernelText.numberIn(text, "full", "total=") : 0);
  }

  /** The total to which a trigger refers. */
  long of(StallTrigger trigger) {
    return trigger == StallTrigger.FULL_100 ? fullMicros : someMicros;
  }
}
