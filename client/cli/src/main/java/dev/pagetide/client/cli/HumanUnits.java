package dev.pagetide.client.cli;

import java.time.Duration;
import java.util.Locale;

/** Numbers for narrow columns: few characters, rounded down. */
public final class HumanUnits {
  private static final int EXACT_BELOW = 100_000;
  private static final int TENTHS_BELOW = 10;
  private static final double LEAST_RATE = 0.1;
  private static final String COUNT_UNITS = "kMGTPE";
  private static final String BYTE_UNITS = "KMGTPE";
  private static final double KILO = 1000;
  private static final double KIBI = 1024;

  private HumanUnits() {}

  /** {@code 99999}, {@code 100k}, {@code 1.2M}: at most five characters. */
  public static String count(long count) {
    if (count < EXACT_BELOW) {
      return Long.toString(count);
    }
    double value = count;
    int unit = -1;
    while (value >= KILO) {
      value /= KILO;
      unit++;
    }
    return rounded(value) + COUNT_UNITS.charAt(unit);
  }

  /** {@code 512 B}, {@code 4 KiB}, {@code 1.5 GiB}. */
  public static String bytes(double bytes) {
    double value = bytes;
    int unit = -1;
    while (value >= KIBI && unit < BYTE_UNITS.length() - 1) {
      value /= KIBI;
      unit++;
    }
    return unit < 0 ? (long) value + " B" : rounded(value) + " " + BYTE_UNITS.charAt(unit) + "iB";
  }

  /** {@code 3.2s}, {@code 42s}, {@code 5m07s}, {@code 3h05m}, {@code 12d03h}. */
  public static String age(Duration age) {
    long seconds = Math.max(0, age.toSeconds());
    if (seconds < TENTHS_BELOW) {
      return seconds + "." + Math.max(0, age.toMillisPart()) / 100 + "s";
    }
    if (seconds < 60) {
      return seconds + "s";
    }
    if (age.toHours() == 0) {
      return String.format(Locale.ROOT, "%dm%02ds", age.toMinutes(), age.toSecondsPart());
    }
    if (age.toDays() == 0) {
      return String.format(Locale.ROOT, "%dh%02dm", age.toHours(), age.toMinutesPart());
    }
    return String.format(Locale.ROOT, "%dd%02dh", age.toDays(), age.toHoursPart());
  }

  /** A rate, with one decimal while it is small; {@code <0.1} if it is small but not zero. */
  public static String rate(double perSecond) {
    if (perSecond > 0 && perSecond < LEAST_RATE) {
      return "<0.1";
    }
    return perSecond < TENTHS_BELOW ? rounded(perSecond) : count((long) perSecond);
  }

  private static String rounded(double value) {
    if (value >= TENTHS_BELOW || value == Math.floor(value)) {
      return Long.toString((long) value);
    }
    return String.format(Locale.ROOT, "%.1f", Math.floor(value * 10) / 10);
  }
}
