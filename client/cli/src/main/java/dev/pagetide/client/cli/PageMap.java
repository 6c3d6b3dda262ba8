package dev.pagetide.client.cli;

import dev.pagetide.client.PageRun;
import dev.pagetide.client.RangeDescription;
import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A drawing of a range with one character a page. */
public final class PageMap {

  /** What the characters mean. */
  public static final String LEGEND = ". FREE   a AVAILABLE   U USED";

  private static final int PAGES_A_LINE = 64;

  private PageMap() {}

  /** The character of one page. */
  static char character(PageState state) {
    return switch (state) {
      case FREE -> '.';
      case AVAILABLE -> 'a';
      case USED -> 'U';
    };
  }

  /** All pages of {@code description} in one string. */
  public static String draw(RangeDescription description) {
    StringBuilder map = new StringBuilder();
    for (PageRun run : description.runs()) {
      map.repeat(character(run.state()), run.pages().pageCount());
    }
    return map.toString();
  }

  /** Cuts {@code map} into lines, each with the number of its first page. */
  public static List<String> lines(String map) {
    List<String> lines = new ArrayList<>();
    int digits = Integer.toString(Math.max(map.length() - 1, 0)).length();
    for (int at = 0; at < map.length(); at += PAGES_A_LINE) {
      String pages = map.substring(at, Math.min(at + PAGES_A_LINE, map.length()));
      lines.add(String.format(Locale.ROOT, "%" + digits + "d  %s", at, pages));
    }
    return lines;
  }
}
