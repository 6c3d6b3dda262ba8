package dev.pagetide.client.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Files and directories as a person names them, in letters that this process can write. */
final class PathConverter implements ITypeConverter<Path> {

  @Override
  public Path convert(String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new TypeConversionException(problem(value));
    }
  }

  /** The file that a variable of the environment names. */
  static Path ofVariable(String variable, String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new CommandFailure(variable + ": " + problem(value), e);
    }
  }

  /** Why {@code value} names no file. */
  static String problem(String value) {
    return "'"
        + value
        + "' cannot name a file: this locale's names are written in "
        + System.getProperty("sun.jnu.encoding")
        + ", which lacks letters of this one; set LC_ALL=C.UTF-8";
  }
}
