package dev.pagetide.client.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A range's id: unsigned, as 'pagetide ranges' lists it. */
final class RangeIdConverter implements ITypeConverter<Long> {

  @Override
  public Long convert(String value) {
    try {
      return Long.parseUnsignedLong(value);
    } catch (NumberFormatException e) {
      throw new TypeConversionException(
          "'" + value + "' is not a range's id; 'pagetide ranges' lists them");
    }
  }
}
