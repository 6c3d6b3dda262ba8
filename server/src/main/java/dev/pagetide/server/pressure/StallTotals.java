package dev.pagetide.server.pressure;

import dev.pagetide.server.host.KernelText;
import java.io.IOException;

/**
 * How long tasks stalled for want of memory since the machine started.
 *
 * @param someMicros microseconds in which at least one task did
 * @param fullMicros microseconds in which no task did anything else
 */
public record StallTotals(long someMicros, long fullMicros) {
  /**
   * Reads the kernel's text, which has a line {@code some} and, where the kernel tells it, a line
   * {@code full}.
   */
  public static StallTotals parse(String text) throws IOException {
    long some = KernelText.numberIn(text, "some", "total=");
    boolean hasFull = text.startsWith("full ") || text.contains("\nfull ");
    return new StallTotals(some, hasFull ? KernelText.numberIn(text, "full", "total=") : 0);
  }

  /** The total that a trigger looks at. */
  public long of(StallTrigger trigger) {
    return trigger == StallTrigger.FULL_100 ? fullMicros : someMicros;
  }
}
