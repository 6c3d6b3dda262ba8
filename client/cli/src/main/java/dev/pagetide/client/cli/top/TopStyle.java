package dev.pagetide.client.cli.top;

import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;

/**
 * Colours and signs.
 *
 * <p>The three states have different signs, too, so that a reader needs neither colours nor good
 * colour vision.
 *
 * @param colour whether colours may be used
 * @param ascii whether only ASCII signs may be used
 */
record TopStyle(boolean colour, boolean ascii) {
  private static final int BLUE = 33;
  private static final int ORANGE = 214;
  private static final int RED = 203;
  private static final int GREY = 245;

  AttributedStyle used() {
    return coloured(BLUE);
  }

  AttributedStyle available() {
    return coloured(ORANGE);
  }

  AttributedStyle free() {
    return coloured(GREY);
  }

  /** The style of what an operator should notice. */
  AttributedStyle alarm() {
    return coloured(RED).bold();
  }

  /** The style of what is old, or explains. */
  AttributedStyle faint() {
    return colour ? coloured(GREY) : AttributedStyle.DEFAULT.faint();
  }

  AttributedStyle strong() {
    return AttributedStyle.BOLD;
  }

  AttributedStyle head() {
    return AttributedStyle.INVERSE;
  }

  private AttributedStyle coloured(int code) {
    return colour ? AttributedStyle.DEFAULT.foreground(code) : AttributedStyle.DEFAULT;
  }

  String usedSign() {
    return ascii ? "#" : "█";
  }

  String availableSign() {
    return ascii ? "=" : "▒";
  }

  String freeSign() {
    return ascii ? "." : "·";
  }

  String ellipsis() {
    return ascii ? "~" : "…";
  }

  /** The sign beside the title of the column by which rows are sorted. */
  String sortSign(boolean descending) {
    return descending ? (ascii ? "v" : "▾") : (ascii ? "^" : "▴");
  }

  /**
   * A bar of {@code width} cells: used, available, free. A count above 0 gets at least one cell, as
   * long as there is room for it.
   */
  void bar(AttributedStringBuilder line, int width, long used, long available, long total) {
    int usedCells = cells(used, total, width);
    int availableCells = Math.min(cells(available, total, width), width - usedCells);
    if (availableCells == 0 && available > 0 && usedCells > 1) {
      usedCells--;
      availableCells++;
    }
    line.styled(used(), usedSign().repeat(usedCells))
        .styled(available(), availableSign().repeat(availableCells))
        .styled(free(), freeSign().repeat(width - usedCells - availableCells));
  }

  private static int cells(long part, long total, int width) {
    if (part <= 0 || total <= 0) {
      return 0;
    }
    return Math.clamp(Math.round((double) part / total * width), 1, width);
  }
}
