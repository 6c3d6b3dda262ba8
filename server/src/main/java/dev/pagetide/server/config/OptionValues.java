package dev.pagetide.server.config;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The values of single options, each read by its notation and checked against its bounds. This adds
 * what is wrong with an option to the list of problems.
 *
 * <p>A refused value counts as the largest allowed one from there on. So one mistake is reported
 * once, and not again at each option that depends on it.
 */
final class OptionValues {
  /** A bound of a value, and a clause that says where it comes from. */
  record Bound(long value, String reason) {}

  /** Of everything that somebody waits for: callers give up earlier. */
  static final Bound MAX_WAIT = new Bound(Duration.ofMinutes(1).toMillis(), "a minute");

  private final OptionTexts texts;
  private final List<String> problems;

  /** Options whose own value is bad. */
  private final Set<ServerOption> bad = EnumSet.noneOf(ServerOption.class);

  /** The values of the texts from the command line, the environment and the configuration file. */
  OptionValues(
      Map<ServerOption, String> commandLine,
      Map<String, String> environment,
      List<String> problems) {
    this.problems = problems;
    this.texts = OptionTexts.gather(commandLine, environment, problems);
  }

  /** The text given for an option, or null if its default holds. */
  OptionTexts.@Nullable Given given(ServerOption option) {
    return texts.given(option);
  }

  /** Whether the values of some options are good by themselves, so that they can be compared. */
  boolean areGood(ServerOption... options) {
    return Collections.disjoint(bad, List.of(options));
  }

  /**
   * Adds a problem of an option.
   *
   * @param value its value, if the default holds
   * @param problem what is wrong and what to do, as a format for the arguments
   */
  @FormatMethod
  void refuse(
      ServerOption option, Object value, @FormatString String problem, Object... arguments) {
    problems.add(shown(option, value) + ": " + String.format(Locale.ROOT, problem, arguments));
  }

  /** A time between two bounds, which are in milliseconds. */
  Duration time(ServerOption option, Bound least, Bound most) {
    Duration wait =
        value(
            option,
            OptionNotation.time(option.defaultText()),
            OptionNotation::time,
            Duration.ofMillis(most.value()));
    boolean over = wait.toMillis() > most.value();
    if (over || wait.toMillis() < least.value()) {
      Bound bound = over ? most : least;
      problems.add(
          String.format(
              Locale.ROOT,
              "%s: %d ms is %s %d, %s; give at %s %s",
              shown(option, ""),
              wait.toMillis(),
              over ? "above" : "below",
              bound.value(),
              bound.reason(),
              over ? "most" : "least",
              bound.value() % 1000 == 0 ? bound.value() / 1000 + "s" : bound.value() + "ms"));
    }
    return wait;
  }

  /** A time of at most a minute, which may be no time at all. */
  Duration upToAMinute(ServerOption option) {
    return time(option, new Bound(0, "no time at all"), MAX_WAIT);
  }

  /** A size between two bounds. */
  long bytes(ServerOption option, long defaultValue, Bound least, Bound most) {
    return number(option, defaultValue, OptionNotation::sizeBytes, least, most);
  }

  /** A number from 1 to a bound. */
  long count(ServerOption option, long defaultValue, Bound most) {
    return number(
        option, defaultValue, OptionNotation::count, new Bound(1, "the least there is"), most);
  }

  private long number(
      ServerOption option,
      long defaultValue,
      Function<String, Long> notation,
      Bound least,
      Bound most) {
    long value = value(option, defaultValue, notation, most.value());
    String shown = shown(option, defaultValue);
    if (most.value() < least.value()) {
      problems.add(
          String.format(
              Locale.ROOT,
              "%s: nothing fits: at least %d, %s; at most %d, %s; raise what bounds it",
              shown,
              least.value(),
              least.reason(),
              most.value(),
              most.reason()));
    } else if (value > most.value()) {
      problems.add(
          String.format(
              Locale.ROOT,
              "%s: %d is above %d, %s; give at most %d",
              shown,
              value,
              most.value(),
              most.reason(),
              most.value()));
    } else if (value < least.value()) {
      problems.add(
          String.format(
              Locale.ROOT,
              "%s: %d is below %d, %s; give at least %d",
              shown,
              value,
              least.value(),
              least.reason(),
              least.value()));
    } else {
      return value;
    }
    bad.add(option);
    return Math.max(least.value(), most.value());
  }

  /** An option's value by its notation; {@code refused} if the text is not in that notation. */
  <T> T value(ServerOption option, T defaultValue, Function<String, T> notation, T refused) {
    OptionTexts.Given given = texts.given(option);
    if (given == null) {
      return defaultValue;
    }
    try {
      return notation.apply(given.text());
    } catch (IllegalArgumentException e) {
      problems.add(given.shown() + ": " + e.getMessage());
      bad.add(option);
      return refused;
    }
  }

  /** How a message names an option: as it was given, or with its default. */
  String shown(ServerOption option, Object defaultValue) {
    OptionTexts.Given given = texts.given(option);
    return given != null ? given.shown() : option.flag() + "=" + defaultValue + " (default)";
  }
}
