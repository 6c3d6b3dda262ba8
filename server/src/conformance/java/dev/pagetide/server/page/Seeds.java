package dev.pagetide.server.page;

import java.util.Random;

/**
 * Seeds of random tests: from the system property {@code pagetide.seed}, or fresh and printed, so
 * that a failure can be had again.
 */
public final class Seeds {
  private Seeds() {}

  /** A seed for the calling test. */
  public static long next() {
    Long given = Long.getLong("pagetide.seed");
    long seed = given == null ? new Random().nextLong() : given;
    String test =
        StackWalker.getInstance()
            .walk(frames -> frames.skip(1).findFirst())
            .map(frame -> frame.getClassName() + "." + frame.getMethodName())
            .orElse("?");
    System.out.println(test + ": -Dpagetide.seed=" + seed);
    return seed;
  }
}
