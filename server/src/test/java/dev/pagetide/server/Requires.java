package dev.pagetide.server;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;

/** What a test needs of the machine: without it the test is skipped, or fails where none may be. */
public final class Requires {
  private Requires() {}

  /** Goes on for root only. */
  public static void root(String why) throws StartupException {
    if (HostLimits.ownUid() != 0) {
      throw missing("needs root: " + why);
    }
  }

  /** Goes on where a command can be found on the PATH only; tells where. */
  static Path command(String name, String why) {
    for (String folder : String.valueOf(System.getenv("PATH")).split(File.pathSeparator, -1)) {
      Path command = Path.of(folder, name);
      if (Files.isExecutable(command)) {
        return command;
      }
    }
    throw missing("needs the command " + name + ": " + why);
  }

  /**
   * Goes on where this host's kernel lets the test have something; else it is skipped everywhere,
   * since nobody can install that.
   */
  public static void ofKernel(boolean present, String what) {
    if (!present) {
      abort("needs " + what);
    }
  }

  /** Never returns: it is declared to, so that a caller can tell the compiler. */
  private static AssertionError missing(String sentence) {
    if ("1".equals(System.getenv("PAGETIDE_REQUIRE_ALL"))) {
      return fail(sentence);
    }
    return abort(sentence);
  }
}
