package dev.pagetide.client.cli;

/**
 * Makes text from others safe to show. Characters that could move the cursor, change colours, or
 * reorder or hide other text are shown as {@code \}{@code u{1B}} and have no effect.
 */
public final class TerminalText {

  private TerminalText() {}

  /** {@code text} with every character that is not plainly visible, and backslashes, escaped. */
  public static String escape(String text) {
    StringBuilder safe = new StringBuilder(text.length());
    text.codePoints()
        .forEach(point -> {
          if (point == '\\') {
            safe.append("\\\\");
          } else if (visible(point)) {
            safe.appendCodePoint(point);
          } else {
            safe.append("\\u{").append(Integer.toHexString(point)).append('}');
          }
        });
    return safe.toString();
  }

  private static boolean visible(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
