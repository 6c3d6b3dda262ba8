package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.Counter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What the catalogues of meters have in common: enums as tags, and counters looked up by enums. */
final class MeterTags {
  private MeterTags() {}

  /** An enum's constant as a tag's value: {@code TARGET_DIED} is {@code target_died}. */
  static String tag(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Counts; a constant that has no counter is not counted. */
  static void add(@Nullable Counter counter, double amount) {
    if (counter != null) {
      counter.increment(amount);
    }
  }
}
