package dev.pagetide.client.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Files and directories as people name them, in characters that this process can encode. */
final class PathConverter implements ITypeConverter<Path> {

  private static final char LOST = '\ufffd';

  @Override
  public Path convert(String value) {
    if (value.isEmpty()) {
      throw new TypeConversionException("an empty path names nothing; leave the option out");
    }
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new TypeConversionException(problem(value));
    }
  }

  /** The file that an environment variable names. */
  static Path ofVariable(String variable, String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new CommandFailure(variable + ": " + problem(value), e);
    }
  }

  /**
   * Whether {@code argument} has lost characters on its way into this process: bytes that are no
   * characters in the locale arrive as U+FFFD, so different arguments become the same.
   */
  static boolean isMangled(String argument) {
    return argument.indexOf(LOST) >= 0;
  }

  /** Why {@code argument}, which {@link #isMangled}, is refused. */
  static String mangled(String argument) {
    return mangled(argument, System.getProperty("sun.jnu.encoding", ""));
  }

  /** As {@link #mangled(String)}, if arguments come in {@code encoding}. */
  static String mangled(String argument, String encoding) {
    return encoding.equalsIgnoreCase("UTF-8")
        ? "'" + argument + "' has bytes that are not UTF-8, or U+FFFD, which stands for them"
        : "'"
            + argument
            + "' has letters that cannot be read: this locale's are written in "
            + encoding
            + "; set LC_ALL=C.UTF-8 and write the letters in UTF-8";
  }

  /** Why {@code value} is no name of a file. */
  static String problem(String value) {
    return "'"
        + value
        + "' cannot name a file: this locale's names are written in "
        + System.getProperty("sun.jnu.encoding")
        + ", which lacks letters of this one; set LC_ALL=C.UTF-8";
  }
}
