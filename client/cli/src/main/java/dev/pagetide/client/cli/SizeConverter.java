package dev.pagetide.client.cli;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A number of bytes as people write it: {@code 4096}, {@code 64KiB}, {@code 4MiB}. */
final class SizeConverter implements ITypeConverter<Long> {

  private static final Pattern SIZE = Pattern.compile("(\\d{1,19})\\s*(B|KiB|MiB|GiB|TiB)?");
  private static final Map<String, Integer> SHIFTS =
      Map.of("B", 0, "KiB", 10, "MiB", 20, "GiB", 30, "TiB", 40);

  @Override
  public Long convert(String value) {
    Matcher matcher = SIZE.matcher(value);
    if (!matcher.matches()) {
      throw new TypeConversionException(
          "'" + value + "' is not a number of bytes such as 4096, 64KiB, 4MiB or 1GiB");
    }
    String unit = matcher.group(2) == null ? "B" : matcher.group(2);
    try {
      long number = Long.parseLong(matcher.group(1));
      return Math.multiplyExact(number, 1L << SHIFTS.getOrDefault(unit, 0));
    } catch (ArithmeticException | NumberFormatException e) {
      throw new TypeConversionException(
          String.format(Locale.ROOT, "'%s' is more than 2^63 - 1 bytes", value));
    }
  }
}
