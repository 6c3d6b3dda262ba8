package dev.pagetide.client.cli.demo;

import dev.pagetide.client.cli.PageMap;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;

/** The demo's output to its reader: numbered steps, page maps, counts and metrics. */
final class Story {

  private static final String RESET = "\u001b[0m";
  private static final String BOLD = "\u001b[1m";
  private static final String DIM = "\u001b[2m";
  private static final String YELLOW = "\u001b[33m";
  private static final String GREEN = "\u001b[32m";

  private final PrintStream out;
  private final boolean colour;
  private int steps;

  Story(PrintStream out, boolean colour) {
    this.out = out;
    this.colour = colour;
  }

  /** A new step, in one sentence. */
  void step(String sentence) {
    steps++;
    out.println();
    out.println(paint(BOLD, steps + ". " + sentence));
  }

  /** An observation within a step. */
  void note(String sentence) {
    out.println("   " + sentence);
  }

  /** A line from a scrape of the server's metrics. */
  void metric(String sample) {
    out.println("   " + paint(DIM, "/metrics  ") + sample);
  }

  /** One client's map before and after a step. */
  void maps(String client, String before, String after) {
    map(client + " before", before);
    map(client + " after", after);
  }

  /** One client's map. */
  void map(String title, String map) {
    out.printf(Locale.ROOT, "   %-15s %s%n", title, painted(map));
  }

  /** Pages by state, over all ranges. */
  void counts(List<Counts> ranges) {
    Counts sum = Counts.NONE;
    for (Counts range : ranges) {
      sum = sum.plus(range);
    }
    note(
        String.format(
            Locale.ROOT,
            "pages: %d free, %d available, %d used",
            sum.free(),
            sum.available(),
            sum.used()));
  }

  void legend() {
    note(PageMap.LEGEND);
  }

  /** The results, in a few lines. */
  void summary(List<String> lines) {
    out.println();
    out.println(paint(BOLD, "In short"));
    lines.forEach(this::note);
  }

  /** The address of the tide map. */
  void mapUrl(String url, boolean stayed) {
    note("The tide map was at " + url);
    if (!stayed) {
      note("and ended with its server; demo --stay keeps both until you press Enter");
    }
  }

  /** The last line. */
  void end(String sentence) {
    out.println();
    out.println(paint(GREEN, sentence));
  }

  private String painted(String map) {
    if (!colour) {
      return map;
    }
    StringBuilder painted = new StringBuilder();
    int at = 0;
    while (at < map.length()) {
      int end = at;
      while (end < map.length() && map.charAt(end) == map.charAt(at)) {
        end++;
      }
      String code = map.charAt(at) == 'U' ? GREEN : map.charAt(at) == 'a' ? YELLOW : DIM;
      painted.append(paint(code, map.substring(at, end)));
      at = end;
    }
    return painted.toString();
  }

  private String paint(String code, String text) {
    return colour ? code + text + RESET : text;
  }
}
