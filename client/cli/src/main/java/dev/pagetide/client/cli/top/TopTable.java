package dev.pagetide.client.cli.top;

import dev.pagetide.client.RangeStatus;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;

/**
 * The rows of ranges, laid out for one width. Columns are as wide as their content. If there is not
 * enough room, the least important columns are left out. Names and bars get the space that is left
 * over.
 */
final class TopTable {
  private static final int LEAST_NAME = 8;
  private static final int USUAL_NAME = 40;
  private static final int LEAST_BAR = 6;
  private static final int WIDEST_BAR = 32;

  private final TopSnapshot snapshot;
  private final TopView view;
  private final TopStyle style;
  private final int width;
  private final List<RangeStatus> ranges;
  private final List<Map<TopColumn, String>> rows = new ArrayList<>();
  private final Map<TopColumn, Integer> widths = new EnumMap<>(TopColumn.class);
  private final Set<TopColumn> shown = EnumSet.allOf(TopColumn.class);

  /**
   * A table.
   *
   * @param width the cells that a line may take
   */
  TopTable(TopSnapshot snapshot, TopView view, TopStyle style, int width) {
    this.snapshot = snapshot;
    this.view = view;
    this.style = style;
    this.width = width;
    this.ranges = view.ordered(snapshot.ranges());
    measure();
    leaveOut();
    spread();
  }

  private void measure() {
    for (TopColumn column : TopColumn.values()) {
      widths.put(column, title(column).length());
    }
    for (RangeStatus range : ranges) {
      Map<TopColumn, String> row = new EnumMap<>(TopColumn.class);
      for (TopColumn column : TopColumn.values()) {
        String text = column.text(range, snapshot);
        row.put(column, text);
        widths.merge(column, new AttributedString(text).columnLength(), Math::max);
      }
      rows.add(row);
    }
  }

  private String title(TopColumn column) {
    return column == view.sort()
        ? column.title() + style.sortSign(column.isDescending(view.reversed()))
        : column.title();
  }

  /** Leaves out columns until the others fit at their narrowest. */
  private void leaveOut() {
    List<TopColumn> byRank = new ArrayList<>(List.of(TopColumn.values()));
    byRank.removeIf(column -> column.dropRank() == 0 || column == view.sort());
    byRank.sort(Comparator.comparingInt(TopColumn::dropRank).reversed());
    for (TopColumn column : byRank) {
      if (narrowest() <= width) {
        return;
      }
      shown.remove(column);
    }
  }

  private int narrowest() {
    int sum = shown.size() - 1;
    for (TopColumn column : shown) {
      sum += narrowest(column);
    }
    return sum;
  }

  private int narrowest(TopColumn column) {
    int natural = widths.getOrDefault(column, 0);
    return switch (column) {
      case NAME -> Math.min(natural, LEAST_NAME);
      case PAGES -> LEAST_BAR;
      default -> natural;
    };
  }

  private void spread() {
    int left = Math.max(0, width - narrowest());
    int name = widths.getOrDefault(TopColumn.NAME, 0);
    int nameWidth = narrowest(TopColumn.NAME);
    int more = Math.min(left, Math.clamp(name, nameWidth, USUAL_NAME) - nameWidth);
    nameWidth += more;
    left -= more;
    if (shown.contains(TopColumn.PAGES)) {
      int bar = Math.min(left, WIDEST_BAR - LEAST_BAR);
      widths.put(TopColumn.PAGES, LEAST_BAR + bar);
      left -= bar;
    }
    widths.put(TopColumn.NAME, nameWidth + Math.max(0, Math.min(left, name - nameWidth)));
  }

  int rowCount() {
    return rows.size();
  }

  /** The titles, over the whole width. */
  AttributedString head() {
    AttributedStringBuilder line = new AttributedStringBuilder();
    for (TopColumn column : shown) {
      cell(line, column, title(column), style.head());
    }
    int used = line.columnLength();
    if (width < Integer.MAX_VALUE && used < width) {
      line.styled(style.head(), " ".repeat(width - used));
    }
    return line.toAttributedString();
  }

  /** The row at one place in the order. */
  AttributedString row(int index, boolean old) {
    AttributedStringBuilder line = new AttributedStringBuilder();
    Map<TopColumn, String> row = rows.get(index);
    RangeStatus range = ranges.get(index);
    for (TopColumn column : shown) {
      if (column == TopColumn.PAGES) {
        line.append(' ');
        style.bar(
            line,
            widths.getOrDefault(column, 0),
            range.usedPages(),
            range.availablePages(),
            TopColumn.pages(range));
      } else {
        cell(line, column, row.getOrDefault(column, ""), old ? style.faint() : cell(column, range));
      }
    }
    return line.toAttributedString();
  }

  private AttributedStyle cell(TopColumn column, RangeStatus range) {
    return switch (column) {
      case STRAYS -> range.strays() > 0 ? style.alarm() : AttributedStyle.DEFAULT;
      case CONTRADICTIONS -> range.contradictions() > 0 ? style.alarm() : AttributedStyle.DEFAULT;
      case USED -> style.used();
      case AVAILABLE -> style.available();
      case FREE -> style.free();
      default -> AttributedStyle.DEFAULT;
    };
  }

  private void cell(
      AttributedStringBuilder line, TopColumn column, String text, AttributedStyle look) {
    int cells = widths.getOrDefault(column, 0);
    AttributedString fitting = TopRenderer.cut(new AttributedString(text, look), cells, style);
    String space = " ".repeat(Math.max(0, cells - fitting.columnLength()));
    AttributedStyle gap = look.equals(style.head()) ? look : AttributedStyle.DEFAULT;
    if (line.length() > 0) {
      line.styled(gap, " ");
    }
    if (column.isRight()) {
      line.styled(gap, space).append(fitting);
    } else {
      line.append(fitting);
      if (column != TopColumn.NAME) {
        line.styled(gap, space);
      }
    }
  }
}
