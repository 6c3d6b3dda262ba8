package dev.pagetide.testkit;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a test needs of the machine. Without it the test is skipped; with {@code
 * PAGETIDE_REQUIRE_ALL=1} in the environment it fails instead, unless only the kernel could help.
 *
 * <p>A test that calls one of these methods bears the tag {@value #TAG}, or its class does. With
 * {@code -Dpagetide.requires=none} the machine has nothing: each such test is skipped, so a build
 * can prove that skipping works.
 */
public final class Requires {
  /** The tag of tests that need something of the machine. */
  public static final String TAG = "needs";

  private static final String PROPERTY = "pagetide.requires";
  private static final Pattern SEPARATOR = Pattern.compile(Pattern.quote(File.pathSeparator));

  private Requires() {}

  /** Goes on for root only. */
  public static void root(String why) {
    that(isRoot(), "root: " + why);
  }

  /** Goes on where a second uid can be taken on with setpriv only. */
  public static void otherUid() {
    root("a second uid is taken on with setpriv");
    var _ = command("setpriv", "a second uid is taken on with it (Debian: util-linux)");
  }

  /** Gives a file to another user, and goes on where that is allowed only. */
  public static void giveAway(Path path, int uid) {
    root("to give a file away");
    String refusal = "";
    try {
      Files.setAttribute(path, "unix:uid", uid, LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      refusal = String.valueOf(e.getMessage()); // root without CAP_CHOWN, or with one uid mapped
    }
    that(refusal.isEmpty(), "to be allowed to give a file to another user: " + refusal);
  }

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

  /**
   * Goes on where this host's kernel lets the test have something; else the test is skipped
   * everywhere, because nobody can install that.
   */
  public static void ofKernel(boolean present, String what) {
    RunningTest.checkTag();
    if (nothingIsThere() || !present) {
      abort("needs " + what);
    }
  }

  /** Goes on where what is needed is there only. */
  public static void that(boolean there, String needed) {
    RunningTest.checkTag();
    String sentence = "needs " + needed;
    if (nothingIsThere()) {
      abort(sentence);
    }
    if (there) {
      return;
    }
    if ("1".equals(System.getenv("PAGETIDE_REQUIRE_ALL"))) {
      fail(sentence);
    }
    abort(sentence);
  }

  private static boolean nothingIsThere() {
    String value = System.getProperty(PROPERTY, "any");
    return switch (value) {
      case "any" -> false;
      case "none" -> true;
      default -> throw new AssertionError(PROPERTY + "=" + value + ": neither any nor none");
    };
  }

  private static boolean isRoot() {
    try {
      return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
