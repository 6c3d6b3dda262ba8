package dev.pagetide.server.metrics;

import io.micrometer.core.instrument.Counter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Shared by the catalogues of meters: enums as tags, and counters found by enums. */
final class MeterTags {
  private MeterTags() {}

  /** An enum's constant as a tag's value: {@code TARGET_DIED} is {@code target_died}. */
  static String tag(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Adds to a counter, if there is one. */
  static void add(@Nullable Counter counter, double amount) {
    if (counter != null) {
      counter.increment(amount);
    }
  }
}
