package dev.pagetide.server.session;

import dev.pagetide.server.page.RangeMode;
import dev.pagetide.shm.ContractLimits;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** The rule for a session's name: operators can read it, and it disturbs no terminal and no log. */
final class SessionName {
  private SessionName() {}

  /**
   * Checks a name. An empty name means that the session has none.
   *
   * @throws SessionFailure.NameInvalid if the name is too long, if it holds a control, format or
   *     surrogate character, or if it is empty although others address the session by it
   */
  static void check(String name, RangeMode mode) {
    if (name.isEmpty() && mode == RangeMode.BUFFERS) {
      throw new SessionFailure.NameInvalid(
          "a session with mode RANGE_MODE_BUFFERS needs a name: others know it by that; give one");
    }
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > ContractLimits.MAX_NAME_BYTES) {
      throw new SessionFailure.NameInvalid(
          String.format(
              Locale.ROOT,
              "name is %d bytes of UTF-8, more than %d; choose a shorter one",
              bytes,
              ContractLimits.MAX_NAME_BYTES));
    }
    int at = 0;
    while (at < name.length()) {
      int character = name.codePointAt(at);
      String kind =
          switch (Character.getType(character)) {
            case Character.CONTROL -> "control";
            case Character.FORMAT -> "format";
            case Character.SURROGATE -> "surrogate";
            default -> "";
          };
      if (!kind.isEmpty()) {
        throw new SessionFailure.NameInvalid(
            String.format(
                Locale.ROOT,
                "name holds the %s character U+%04X at index %d; leave it out",
                kind,
                character,
                at));
      }
      at += Character.charCount(character);
    }
  }
}
