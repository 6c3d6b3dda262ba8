package dev.pagetide.server.page;

import java.util.concurrent.TimeUnit;

/** How soon after its reclaim a page was used again. */
public enum RefaultAge {
  /** Less than a tenth of a second: the page was practically in use. */
  WITHIN_100MS(TimeUnit.MILLISECONDS.toNanos(100)),
  /** Less than a second. */
  WITHIN_1S(TimeUnit.SECONDS.toNanos(1)),
  /** Less than ten seconds. */
  WITHIN_10S(TimeUnit.SECONDS.toNanos(10)),
  /** Less than a minute. */
  WITHIN_1M(TimeUnit.MINUTES.toNanos(1)),
  /** Later than that: reclaiming it was right. */
  LATER(Long.MAX_VALUE);

  private static final RefaultAge[] YOUNGEST_FIRST = values();

  private final long belowNanos;

  RefaultAge(long belowNanos) {
    this.belowNanos = belowNanos;
  }

  /** The class of an age, in nanoseconds; negative ones count as the youngest. */
  static RefaultAge of(long ageNanos) {
    for (RefaultAge age : YOUNGEST_FIRST) {
      if (ageNanos < age.belowNanos) {
        return age;
      }
    }
    return LATER;
  }
}
