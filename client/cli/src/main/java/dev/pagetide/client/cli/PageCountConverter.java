package dev.pagetide.client.cli;

import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A number of pages: a whole number that is not negative. */
final class PageCountConverter implements ITypeConverter<Long> {

  private static final Pattern COUNT = Pattern.compile("\\d{1,18}");

  @Override
  public Long convert(String value) {
    if (!COUNT.matcher(value).matches()) {
      throw new TypeConversionException("'" + value + "' is not a number of pages such as 0 or 64");
    }
    return Long.valueOf(value);
  }
}
