package dev.pagetide.client;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/** What a test needs of the machine: without it the test is skipped, or fails where none may be. */
public final class Requires {
  private static final Pattern SEPARATOR = Pattern.compile(Pattern.quote(File.pathSeparator));

  private Requires() {}

  /** Goes on where a command can be found on the PATH only; tells where. */
  public static Path command(String name, String why) {
    Optional<Path> found =
        SEPARATOR
            .splitAsStream(String.valueOf(System.getenv("PATH")))
            .map(folder -> Path.of(folder, name))
            .filter(Files::isExecutable)
            .findFirst();
    that(found.isPresent(), "the command " + name + ": " + why);
    return found.orElseThrow();
  }

  /** Goes on where what is needed is there only. */
  public static void that(boolean there, String needed) {
    if (there) {
      return;
    }
    if ("1".equals(System.getenv("PAGETIDE_REQUIRE_ALL"))) {
      fail("needs " + needed);
    }
    abort("needs " + needed);
  }
}
