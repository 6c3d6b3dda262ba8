package dev.pagetide.client.cli;

import dev.pagetide.client.PageInterval;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Pages as a person writes them: {@code 7} is one page, {@code 0..4} are pages 0 to 3. */
final class PagesConverter implements ITypeConverter<PageInterval> {

  private static final Pattern PAGES = Pattern.compile("(\\d{1,10})(?:\\.\\.(\\d{1,10}))?");

  @Override
  public PageInterval convert(String value) {
    Matcher matcher = PAGES.matcher(value);
    if (matcher.matches()) {
      try {
        int start = Integer.parseInt(matcher.group(1));
        int end = matcher.group(2) == null ? start + 1 : Integer.parseInt(matcher.group(2));
        if (matcher.group(2) != null && end < start) {
          throw new TypeConversionException(
              "'"
                  + value
                  + "' ends before it starts; give the lower page first, as in "
                  + end
                  + ".."
                  + start);
        }
        if (matcher.group(2) != null && end == start) {
          throw new TypeConversionException(
              "'"
                  + value
                  + "' names no page, because the end is left out; give "
                  + start
                  + " alone");
        }
        if (end >= 0) {
          return new PageInterval(start, end);
        }
      } catch (NumberFormatException e) {
        throw new TypeConversionException(
            "'" + value + "' names a page above " + Integer.MAX_VALUE);
      }
    }
    throw new TypeConversionException(
        "'" + value + "' is not a page such as 7, or pages such as 0..4 (4 is left out)");
  }
}
