package dev.pagetide.client.cli.top;

import com.google.errorprone.annotations.FormatMethod;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A terminal's screen, as tmux captures it with its colours, as a small SVG picture. */
final class ScreenPicture {
  private static final double CELL_WIDTH = 8;
  private static final int CELL_HEIGHT = 17;
  private static final int MARGIN = 12;
  private static final int BASELINE = 13;
  private static final String BACK = "#16181d";
  private static final String FORE = "#d8dee9";
  private static final Pattern STYLE = Pattern.compile("\u001b\\[([0-9;]*)m|\u001b\\([A-Z0-9]");
  private static final int[] CUBE = {0, 95, 135, 175, 215, 255};
  private static final int FIRST_OF_CUBE = 16;
  private static final int FIRST_GREY = 232;

  private final StringBuilder svg = new StringBuilder();
  private String colour = FORE;
  private boolean bold;
  private boolean inverse;

  private ScreenPicture() {}

  /** Draws the rows of a screen of {@code columns} columns. */
  static String of(List<String> rows, int columns) {
    ScreenPicture picture = new ScreenPicture();
    double width = columns * CELL_WIDTH + 2 * MARGIN;
    int height = rows.size() * CELL_HEIGHT + 2 * MARGIN;
    picture.add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %d\" font-family=\"'DejaVu"
            + " Sans Mono',Menlo,Consolas,monospace\" font-size=\"13\">\n"
            + "<title>pagetide top</title>\n"
            + "<rect width=\"%.0f\" height=\"%d\" rx=\"8\" fill=\"%s\"/>\n",
        width, height, width, height, BACK);
    for (int row = 0; row < rows.size(); row++) {
      picture.row(rows.get(row), MARGIN + row * CELL_HEIGHT);
    }
    picture.svg.append("</svg>\n");
    return picture.svg.toString();
  }

  private void row(String row, int top) {
    Matcher styles = STYLE.matcher(row);
    int column = 0;
    int at = 0;
    while (styles.find()) {
      column = text(row.substring(at, styles.start()), column, top);
      if (styles.group(1) != null) {
        style(styles.group(1));
      }
      at = styles.end();
    }
    text(row.substring(at), column, top);
  }

  /** One run of one style: bars as rectangles, since fonts differ about them. */
  private int text(String text, int startColumn, int top) {
    int column = startColumn;
    int at = 0;
    while (at < text.length()) {
      int end = at;
      while (end < text.length() && text.charAt(end) == text.charAt(at)) {
        end++;
      }
      char c = text.charAt(at);
      if (c == '█' || c == '▒') {
        rect(column, end - at, top + 2, CELL_HEIGHT - 4, colour, c == '█' ? 1 : 0.55);
      } else {
        while (end < text.length() && text.charAt(end) != '█' && text.charAt(end) != '▒') {
          end++;
        }
        words(text.substring(at, end), column, top);
      }
      column += end - at;
      at = end;
    }
    return column;
  }

  private void words(String words, int column, int top) {
    if (inverse) {
      rect(column, words.length(), top, CELL_HEIGHT, FORE, 1);
    }
    int from = 0;
    // Each word at its place: whatever the font, columns stay columns.
    for (String word : List.of(words.split(" ", -1))) {
      if (!word.isEmpty()) {
        add(
            "<text x=\"%.0f\" y=\"%d\" textLength=\"%.0f\" fill=\"%s\"%s>%s</text>\n",
            MARGIN + (column + from) * CELL_WIDTH,
            top + BASELINE,
            word.length() * CELL_WIDTH,
            inverse ? BACK : colour,
            bold ? " font-weight=\"bold\"" : "",
            word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"));
      }
      from += word.length() + 1;
    }
  }

  private void rect(int column, int cells, int y, int height, String fill, double opacity) {
    add(
        "<rect x=\"%.0f\" y=\"%d\" width=\"%.0f\" height=\"%d\" fill=\"%s\" opacity=\"%.2f\"/>\n",
        MARGIN + column * CELL_WIDTH, y, cells * CELL_WIDTH, height, fill, opacity);
  }

  private void style(String parameters) {
    List<Integer> codes = new ArrayList<>();
    for (String code : parameters.split(";", -1)) {
      codes.add(code.isEmpty() ? 0 : Integer.parseInt(code));
    }
    for (int i = 0; i < codes.size(); i++) {
      switch (codes.get(i)) {
        case 0 -> {
          colour = FORE;
          bold = false;
          inverse = false;
        }
        case 1 -> bold = true;
        case 7 -> inverse = true;
        case 22 -> bold = false;
        case 27 -> inverse = false;
        case 39 -> colour = FORE;
        case 49 -> {} // the background is always the same
        case 38 -> {
          colour = indexed(codes.get(i + 2)); // 38;5;N
          i += 2;
        }
        default -> throw new IllegalArgumentException("style " + parameters);
      }
    }
  }

  /** A colour of the 256: of the cube, or a grey. */
  private static String indexed(int index) {
    if (index >= FIRST_GREY) {
      int grey = 8 + 10 * (index - FIRST_GREY);
      return String.format(Locale.ROOT, "#%02x%02x%02x", grey, grey, grey);
    }
    int cube = index - FIRST_OF_CUBE;
    return String.format(
        Locale.ROOT, "#%02x%02x%02x", CUBE[cube / 36], CUBE[cube / 6 % 6], CUBE[cube % 6]);
  }

  @FormatMethod
  private void add(String format, Object... arguments) {
    svg.append(String.format(Locale.ROOT, format, arguments));
  }
}
