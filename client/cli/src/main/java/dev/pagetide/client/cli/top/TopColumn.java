package dev.pagetide.client.cli.top;

import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.cli.HumanUnits;
import dev.pagetide.client.cli.RangeTexts;
import dev.pagetide.client.cli.TerminalText;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * The columns that {@code pagetide top} shows of a range, in the order of the screen. Rows can be
 * sorted by any of them.
 */
enum TopColumn {
  /** The range's public id. */
  RANGE("RANGE", 0, false),
  /** The process that opened it. */
  PID("PID", 4, false),
  /** The user of that process. */
  UID("UID", 6, false),
  /** Pages, or buffers. */
  MODE("MODE", 7, false),
  /** All of its pages. */
  SIZE("SIZE", 10, true),
  /** Pages without memory. */
  FREE("FREE", 5, true),
  /** Pages whose memory no process uses. */
  AVAILABLE("AVAIL", 1, true),
  /** Pages in use. */
  USED("USED", 1, true),
  /** A bar of the three counts. */
  PAGES("PAGES", 8, true),
  /** One past the highest page that ever held memory. */
  HIGH("HIGH", 12, true),
  /** Memory that the server had not given to the range. */
  STRAYS("STRAY", 3, true),
  /** Words that no client may write. */
  CONTRADICTIONS("CONTR", 3, true),
  /** How long a page can have been USED. */
  OLDEST("OLDEST", 2, true),
  /** How long ago the range was opened. */
  OPEN("OPEN", 11, true),
  /** The session's name as the client gave it, escaped. */
  NAME("NAME", 0, false);

  private static final List<TopColumn> ALL = List.of(values());

  private final String title;
  private final int dropRank;
  private final boolean largestFirst;

  TopColumn(String title, int dropRank, boolean largestFirst) {
    this.title = title;
    this.dropRank = dropRank;
    this.largestFirst = largestFirst;
  }

  /** The column's heading. */
  String title() {
    return title;
  }

  /** The order in which columns are left out if the screen is narrow: the highest rank first. */
  int dropRank() {
    return dropRank;
  }

  /** Whether the text is right-aligned, as numbers are. */
  boolean isRight() {
    return this != MODE && this != PAGES && this != NAME;
  }

  /** The order that most people want: quantities descending, equal ones by id. */
  Comparator<RangeStatus> order(boolean reversed) {
    Comparator<RangeStatus> ascending = ascending();
    Comparator<RangeStatus> order = largestFirst == reversed ? ascending : ascending.reversed();
    return order.thenComparing(RANGE.ascending());
  }

  private Comparator<RangeStatus> ascending() {
    return switch (this) {
      case RANGE -> (a, b) -> Long.compareUnsigned(a.rangeId(), b.rangeId());
      case PID -> Comparator.comparingInt(RangeStatus::pid);
      case UID -> Comparator.comparingLong(RangeStatus::uid);
      case MODE -> Comparator.comparing(RangeStatus::mode);
      case SIZE -> Comparator.comparingLong(TopColumn::pages);
      case FREE -> Comparator.comparingInt(RangeStatus::freePages);
      case AVAILABLE -> Comparator.comparingInt(RangeStatus::availablePages);
      case USED -> Comparator.comparingInt(RangeStatus::usedPages);
      case PAGES -> Comparator.comparingDouble(TopColumn::residentShare);
      case HIGH -> Comparator.comparingInt(RangeStatus::highWatermark);
      case STRAYS -> Comparator.comparingLong(RangeStatus::strays);
      case CONTRADICTIONS -> Comparator.comparingLong(RangeStatus::contradictions);
      case OLDEST -> Comparator.comparing(range -> range.oldestUsed().orElse(Duration.ZERO));
      case OPEN -> Comparator.comparing(RangeStatus::openTime).reversed();
      case NAME -> Comparator.comparing(RangeStatus::name);
    };
  }

  /** Whether the largest is at the top. */
  boolean isDescending(boolean reversed) {
    return largestFirst != reversed;
  }

  /** The column {@code steps} further on; after the last comes the first. */
  TopColumn next(int steps) {
    return ALL.get(Math.floorMod(ALL.indexOf(this) + steps, ALL.size()));
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The text of a cell, safe to show; empty for {@link #PAGES}, which is drawn. */
  String text(RangeStatus range, TopSnapshot snapshot) {
    return switch (this) {
      case RANGE -> Long.toUnsignedString(range.rangeId());
      case PID -> RangeTexts.pid(range);
      case UID -> RangeTexts.uid(range);
      case MODE -> RangeTexts.mode(range.mode());
      case SIZE -> HumanUnits.bytes((double) pages(range) * snapshot.memory().pageSize());
      case FREE -> HumanUnits.count(range.freePages());
      case AVAILABLE -> HumanUnits.count(range.availablePages());
      case USED -> HumanUnits.count(range.usedPages());
      case PAGES -> "";
      case HIGH -> HumanUnits.count(range.highWatermark());
      case STRAYS -> HumanUnits.count(range.strays());
      case CONTRADICTIONS -> HumanUnits.count(range.contradictions());
      case OLDEST -> range.oldestUsed().map(HumanUnits::age).orElse("-");
      case OPEN -> HumanUnits.age(Duration.between(range.openTime(), snapshot.at()));
      case NAME -> TerminalText.escape(range.name());
    };
  }

  static long pages(RangeStatus range) {
    return (long) range.freePages() + range.availablePages() + range.usedPages();
  }

  private static double residentShare(RangeStatus range) {
    long pages = pages(range);
    return pages == 0 ? 0 : 1 - (double) range.freePages() / pages;
  }
}
