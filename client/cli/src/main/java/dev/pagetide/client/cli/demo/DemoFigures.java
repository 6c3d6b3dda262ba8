package dev.pagetide.client.cli.demo;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import java.util.Locale;

/** Measured times, rates and ratios, with two or three digits and a suitable unit. */
final class DemoFigures {

  private static final List<String> TIMES = List.of("ns", "us", "ms", "s");
  private static final List<String> RATES = List.of("B/s", "kB/s", "MB/s", "GB/s", "TB/s");
  private static final int KILO = 1000;
  private static final int TENTHS_BELOW = 10;
  private static final double NANOS_A_SECOND = 1e9;
  private static final MathContext TWO_DIGITS = new MathContext(2);

  private DemoFigures() {}

  /** {@code 48 ns}, {@code 2.1 us}, {@code 210 us}. */
  static String time(double nanos) {
    return scaled(nanos, TIMES);
  }

  /**
   * The rate at which {@code bytes} were moved in {@code nanos}: {@code 480 MB/s}, {@code 1.4
   * GB/s}.
   */
  static String rate(long bytes, double nanos) {
    return scaled(bytes / nanos * NANOS_A_SECOND, RATES);
  }

  /** A ratio with two digits: {@code 0.9}, {@code 3.6}, {@code 36}, {@code 4,400}. */
  static String ratio(double ratio) {
    return ratio < TENTHS_BELOW
        ? digits(ratio)
        : String.format(
            Locale.ROOT, "%,d", BigDecimal.valueOf(ratio).round(TWO_DIGITS).longValue());
  }

  private static String scaled(double value, List<String> units) {
    double left = value;
    int unit = 0;
    // A value that would be rounded to 1000 of a unit is 1 of the next.
    while (Math.round(left) >= KILO && unit < units.size() - 1) {
      left /= KILO;
      unit++;
    }
    return digits(left) + " " + units.get(unit);
  }

  private static String digits(double value) {
    double tenths = Math.round(value * 10) / 10.0;
    return tenths < TENTHS_BELOW
        ? String.format(Locale.ROOT, "%.1f", tenths)
        : Long.toString(Math.round(value));
  }
}
