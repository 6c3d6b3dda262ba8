package dev.pagetide.server;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

/** What a test needs of the machine: without it the test is skipped, or fails where none may be. */
final class Requires {
  private Requires() {}

  /** Goes on for root only. */
  static void root(String why) throws StartupException {
    if (HostLimits.ownUid() != 0) {
      String sentence = "needs root: " + why;
      if ("1".equals(System.getenv("PAGETIDE_REQUIRE_ALL"))) {
        fail(sentence);
      }
      abort(sentence);
    }
  }
}
