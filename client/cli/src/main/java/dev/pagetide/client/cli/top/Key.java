package dev.pagetide.client.cli.top;

import java.io.IOException;

/** The action of a key, or of a sequence of bytes that a terminal sends for one. */
enum Key {
  SORT_BEFORE,
  SORT_AFTER,
  REVERSE,
  UP,
  DOWN,
  PAGE_UP,
  PAGE_DOWN,
  FIRST,
  LAST,
  HELP,
  REDRAW,
  QUIT,
  /** No action. */
  OTHER;

  private static final int ESCAPE = 0x1b;
  private static final int CONTROL_C = 3;
  private static final int CONTROL_L = 12;
  private static final int LONGEST_SEQUENCE = 16;

  /** The characters that a terminal sends. */
  interface Input {
    /** The next character; negative at the end. Waits for it. */
    int next() throws IOException;

    /** The next character if it comes at once, as those of a sequence do; otherwise negative. */
    int nextOfSequence() throws IOException;
  }

  /** Reads one key; {@link #QUIT} at the end of the input. */
  static Key read(Input input) throws IOException {
    int c = input.next();
    return switch (c) {
      case '<', ',' -> SORT_BEFORE;
      case '>', '.' -> SORT_AFTER;
      case 'r', 'R' -> REVERSE;
      case 'h', 'H', '?' -> HELP;
      case 'q', 'Q', CONTROL_C -> QUIT;
      case 'k' -> UP;
      case 'j' -> DOWN;
      case CONTROL_L -> REDRAW;
      case ESCAPE -> sequence(input);
      default -> c < 0 ? QUIT : OTHER;
    };
  }

  /** Reads what follows ESC: CSI or SS3, parameters, and a final character. */
  private static Key sequence(Input input) throws IOException {
    int c = input.nextOfSequence();
    if (c != '[' && c != 'O') {
      return OTHER;
    }
    StringBuilder parameters = new StringBuilder();
    while (parameters.length() < LONGEST_SEQUENCE) {
      c = input.nextOfSequence();
      if (c < 0) {
        return OTHER;
      }
      if (c >= '@' && c <= '~') {
        return named((char) c, parameters.toString());
      }
      parameters.append((char) c);
    }
    return OTHER;
  }

  private static Key named(char last, String parameters) {
    return switch (last) {
      case 'A' -> UP;
      case 'B' -> DOWN;
      case 'C' -> SORT_AFTER;
      case 'D' -> SORT_BEFORE;
      case 'H' -> FIRST;
      case 'F' -> LAST;
      case '~' ->
          switch (parameters) {
            case "5" -> PAGE_UP;
            case "6" -> PAGE_DOWN;
            case "1", "7" -> FIRST;
            case "4", "8" -> LAST;
            default -> OTHER;
          };
      default -> OTHER;
    };
  }
}
