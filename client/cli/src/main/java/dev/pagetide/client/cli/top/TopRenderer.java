package dev.pagetide.client.cli.top;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ReclaimTrigger;
import dev.pagetide.client.cli.HumanUnits;
import dev.pagetide.client.cli.RangeTexts;
import dev.pagetide.client.cli.TerminalText;
import java.time.Duration;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;
import org.jspecify.annotations.Nullable;

/**
 * The content of the screen, as a pure function of the state, of the view, and of the size. It has
 * no more lines, and no wider lines, than fit. No text from clients or from the server reaches it
 * unescaped.
 *
 * @param style how it looks
 * @param server where the server is, for the first line
 * @param zone the time zone of the times
 */
record TopRenderer(TopStyle style, String server, ZoneId zone) {

  private static final int HEADER_LINES = 7;
  private static final int LINES_OF_FIGURES = 4;
  private static final int FOOTER_LINES = 1;
  private static final int NARROWEST_BAR = 10;
  private static final int WIDEST_BAR = 100;
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("HH:mm:ss", Locale.ROOT);

  private static final List<String> HELP =
      List.of(
          "",
          "Keys",
          "  < >           sort by the column before, or after",
          "  r             reverse the order",
          "  up, down      scroll by a row; PgUp, PgDn, Home and End scroll further",
          "  h, ?          show this, and hide it",
          "  q, Ctrl-C     quit",
          "",
          "Pages are FREE (hold no memory), AVAILABLE (may be reclaimed) or USED.",
          "OLDEST  the longest that a USED page can have been USED without a break",
          "STRAY   pages of memory that a client brought by itself, and that were taken",
          "CONTR   pages whose word says what no client may write",
          "HIGH    one past the highest page that ever held memory; OPEN: since when it is open");

  /** The number of rows of ranges on a screen of that height. */
  static int bodyRows(int height) {
    return Math.max(0, height - HEADER_LINES - FOOTER_LINES);
  }

  /** A screen: header, rows, and at the bottom the keys. */
  List<AttributedString> screen(
      TopState state, TopView view, int width, int height, long nowNanos) {
    List<AttributedString> lines = header(state, width, nowNanos);
    int body = bodyRows(height);
    TopSnapshot last = state.last();
    int rows = last == null ? 0 : last.ranges().size();
    if (view.help()) {
      HELP.stream().limit(body + 1).forEach(line -> lines.add(new AttributedString(line)));
    } else if (last != null) {
      TopTable table = new TopTable(last, view, style, width);
      lines.add(table.head());
      int first = view.scrolled(0, rows, body).firstRow();
      for (int row = first; row < Math.min(rows, first + body); row++) {
        lines.add(table.row(row, state.trouble() != null));
      }
    }
    while (lines.size() < height - FOOTER_LINES) {
      lines.add(AttributedString.EMPTY);
    }
    List<AttributedString> fitting = new ArrayList<>();
    lines.stream().limit(Math.max(0, height - FOOTER_LINES)).forEach(fitting::add);
    if (height > 0) {
      fitting.add(footer(view, last != null, rows, body));
    }
    return fitting.stream().map(line -> cut(line, width, style)).toList();
  }

  /** The same for a script or a pipe: header and all rows, but no keys. */
  List<AttributedString> listing(TopState state, TopView view, int width) {
    List<AttributedString> lines = header(state, width, state.troubleNanos());
    TopSnapshot last = state.last();
    if (last != null) {
      TopTable table = new TopTable(last, view, style, width);
      lines.add(table.head());
      for (int row = 0; row < table.rowCount(); row++) {
        lines.add(table.row(row, false));
      }
    }
    return lines.stream().map(line -> cut(line, width, style)).toList();
  }

  /** A line cut to {@code width} cells, with a mark if something was cut off. */
  static AttributedString cut(AttributedString line, int width, TopStyle style) {
    if (line.columnLength() <= width) {
      return line;
    }
    AttributedStringBuilder shorter = new AttributedStringBuilder();
    shorter.append(line.columnSubSequence(0, Math.max(0, width - 1)));
    if (width > 0) {
      shorter.append(style.ellipsis());
    }
    return shorter.toAttributedString();
  }

  private List<AttributedString> header(TopState state, int width, long nowNanos) {
    List<AttributedString> lines = new ArrayList<>();
    TopSnapshot last = state.last();
    lines.add(title(last));
    if (last == null) {
      lines.addAll(Collections.nCopies(LINES_OF_FIGURES, AttributedString.EMPTY));
    } else {
      lines.add(memory(last.memory(), width));
      lines.add(pages(last));
      lines.add(sessions(last));
      lines.add(reclaimed(state.reclaimed(), last.memory()));
    }
    lines.add(trouble(state, nowNanos));
    return lines;
  }

  private AttributedString title(@Nullable TopSnapshot last) {
    AttributedStringBuilder line = new AttributedStringBuilder();
    line.styled(style.strong(), "pagetide top").append("  ");
    if (last == null) {
      line.append("asking");
    } else {
      line.append(TIME.format(last.at().atZone(zone)));
    }
    line.append("  ").styled(style.faint(), TerminalText.escape(server));
    return line.toAttributedString();
  }

  private AttributedString memory(MemoryStatus memory, int width) {
    double pageSize = memory.pageSize();
    long percent =
        memory.budgetPages() == 0 ? 0 : 100 * memory.residentPages() / memory.budgetPages();
    String figures =
        HumanUnits.bytes(memory.residentPages() * pageSize)
            + " of "
            + HumanUnits.bytes(memory.budgetPages() * pageSize)
            + " resident ("
            + percent
            + " %)";
    AttributedStringBuilder line = new AttributedStringBuilder();
    line.append("Memory     ");
    int bar = Math.clamp((long) width - line.length() - figures.length() - 1, 0, WIDEST_BAR);
    if (bar >= NARROWEST_BAR) {
      long available = Math.min(memory.availablePages(), memory.residentPages());
      style.bar(line, bar, memory.residentPages() - available, available, memory.budgetPages());
      line.append(' ');
    }
    return line.append(figures).toAttributedString();
  }

  private AttributedString pages(TopSnapshot last) {
    MemoryStatus memory = last.memory();
    long used = last.ranges().stream().mapToLong(RangeStatus::usedPages).sum();
    double pageSize = memory.pageSize();
    AttributedStringBuilder line = new AttributedStringBuilder();
    line.append("Pages      ")
        .styled(style.used(), style.usedSign() + " used " + HumanUnits.bytes(used * pageSize))
        .append("  ")
        .styled(
            style.available(),
            style.availableSign()
                + " available "
                + HumanUnits.bytes(memory.availablePages() * pageSize));
    return line.toAttributedString();
  }

  private AttributedString sessions(TopSnapshot last) {
    long strays = last.ranges().stream().mapToLong(RangeStatus::strays).sum();
    long contradictions = last.ranges().stream().mapToLong(RangeStatus::contradictions).sum();
    AttributedStringBuilder line = new AttributedStringBuilder();
    line.append("Sessions   ").append(HumanUnits.count(last.ranges().size()));
    alarming(line, "waiting uses", last.memory().waiting());
    alarming(line, "strays", strays);
    alarming(line, "contradictions", contradictions);
    return line.toAttributedString();
  }

  private void alarming(AttributedStringBuilder line, String what, long count) {
    line.append("  ")
        .styled(
            count > 0 ? style.alarm() : AttributedStyle.DEFAULT,
            what + " " + HumanUnits.count(count));
  }

  private static AttributedString reclaimed(
      @Nullable Map<ReclaimTrigger, Double> rates, MemoryStatus memory) {
    if (rates == null) {
      return new AttributedString(
          "Reclaimed  since the server started: "
              + byTrigger(memory.reclaimedPages(), pages -> HumanUnits.count(pages.longValue())));
    }
    double sum = rates.values().stream().mapToDouble(Double::doubleValue).sum();
    return new AttributedString(
        "Reclaimed  "
            + HumanUnits.rate(sum)
            + " pages/s"
            + (rates.isEmpty()
                ? ""
                : ": " + byTrigger(rates, rate -> HumanUnits.rate(rate.doubleValue()))));
  }

  private static <N extends Number & Comparable<N>> String byTrigger(
      Map<ReclaimTrigger, N> pages, Function<N, String> figure) {
    return pages.isEmpty()
        ? "nothing"
        : pages.entrySet().stream()
            .sorted(
                Map.Entry.<ReclaimTrigger, N>comparingByValue(Comparator.reverseOrder())
                    .thenComparing(Map.Entry.comparingByKey()))
            .map(e -> RangeTexts.trigger(e.getKey()) + " " + figure.apply(e.getValue()))
            .collect(Collectors.joining(", "));
  }

  private AttributedString trouble(TopState state, long nowNanos) {
    String trouble = state.trouble();
    if (trouble == null) {
      return AttributedString.EMPTY;
    }
    Duration since = Duration.ofNanos(Math.max(0, nowNanos - state.troubleNanos()));
    return new AttributedString(
        "NO ANSWER for "
            + HumanUnits.age(since)
            + ", trying again: "
            + TerminalText.escape(trouble),
        style.alarm());
  }

  private AttributedString footer(TopView view, boolean answered, int rows, int body) {
    int first = view.scrolled(0, rows, body).firstRow();
    String place;
    if (!answered) {
      place = "no answer yet";
    } else if (rows == 0) {
      place = "no ranges";
    } else if (view.help() || body == 0) {
      place = rows == 1 ? "1 range" : rows + " ranges";
    } else {
      place = (first + 1) + "-" + Math.min(rows, first + body) + " of " + rows;
    }
    return new AttributedString(
        place + "  sorted by " + view.sort() + "  < > column  r reverse  h help  q quit",
        style.faint());
  }
}
