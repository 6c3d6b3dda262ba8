package dev.pagetide.client.cli.top;

import static dev.pagetide.client.cli.top.TopSamples.range;
import static dev.pagetide.client.cli.top.TopSamples.snapshot;
import static dev.pagetide.client.cli.top.TopSamples.state;
import static dev.pagetide.client.cli.top.TopSamples.trespasser;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.ReclaimTrigger;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jline.utils.AttributedString;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the screen shows, drawn without one. */
final class TopRendererTest {
  private static final long SECOND = 1_000_000_000L;
  private static final TopView BY_RANGE = new TopView(TopColumn.RANGE, false, 0, false);

  private static TopRenderer renderer(boolean colour) {
    return new TopRenderer(new TopStyle(colour, false), "/run/pt", ZoneOffset.UTC);
  }

  private static List<String> screen(TopState state, TopView view, int width, int height) {
    return renderer(false).screen(state, view, width, height, 0).stream()
        .map(AttributedString::toString)
        .toList();
  }

  private static TopState crowd(int count) {
    List<RangeStatus> ranges = new ArrayList<>();
    for (int id = 1; id <= count; id++) {
      ranges.add(range(id, "a rather long name of session " + id, 100_000 + id, 20_000, id));
    }
    String wide = "wide " + "界".repeat(12) + " " + TopSamples.HOSTILE;
    ranges.add(trespasser(count + 1L, wide, 7, 123_456));
    return TopState.NOTHING
        .answered(snapshot(0, ranges, Map.of()))
        .answered(
            snapshot(
                2,
                ranges,
                Map.of(ReclaimTrigger.MEMAVAILABLE, 1_000_000L, ReclaimTrigger.WATERMARK, 7L)))
        .failed("the server \u001b[2J does not answer ".repeat(20), 0);
  }

  @ParameterizedTest
  @CsvSource({"80,24", "200,60", "100,30", "40,10", "20,5", "5,3", "1,1", "0,0", "80,1", "3,60"})
  void screen_everySize_fitsAndFillsIt(int width, int height) {
    for (boolean help : new boolean[] {false, true}) {
      for (TopColumn column : TopColumn.values()) {
        TopView view = new TopView(column, true, 3, help);

        List<AttributedString> lines =
            renderer(true).screen(crowd(100), view, width, height, SECOND);

        assertThat(lines).hasSize(height);
        assertThat(lines)
            .allSatisfy(line -> assertThat(line.columnLength()).isLessThanOrEqualTo(width));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"true,24,101 ranges", "false,24,1-16 of 101", "false,4,101 ranges"})
  void screen_helpOrNoRoomForRows_theFootKnowsHowManyRangesThereAre(
      boolean help, int height, String foot) {
    TopView view = new TopView(TopColumn.RANGE, false, 0, help);

    assertThat(screen(crowd(100), view, 120, height).getLast()).startsWith(foot);
  }

  @Test
  void screen_beforeTheFirstAnswer_doesNotSayThatThereAreNoRanges() {
    assertThat(screen(TopState.NOTHING, BY_RANGE, 80, 24).getLast()).startsWith("no answer yet");
  }

  @Test
  void screen_80Columns_showsWhatTheIssueAsksForAndAName() {
    List<String> lines = screen(crowd(100), BY_RANGE, 80, 24);

    assertThat(lines.get(6))
        .startsWith("RANGE")
        .contains(
            "PID", "UID", "MODE", "FREE", "AVAIL", "USED", "PAGES", "STRAY", "CONTR", "OLDEST")
        .contains("NAME");
    assertThat(lines.get(7)).contains("4194303 65534 buffers", "20000", "a rather…");
    assertThat(lines.get(23)).startsWith("1-16 of 101");
  }

  @Test
  void screen_200Columns_showsEveryColumnAndWholeNames() {
    List<String> lines = screen(crowd(100), BY_RANGE, 200, 60);

    assertThat(lines.get(6)).contains("SIZE", "HIGH", "OPEN");
    assertThat(lines.get(7)).endsWith("a rather long name of session 1");
    assertThat(lines.get(59)).startsWith("1-52 of 101");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void screen_hostileName_reachesTheTerminalEscaped(boolean colour) {
    RangeStatus hostile = range(1, TopSamples.HOSTILE, 1, 2, 3);
    TopState state = state(hostile).failed("why\u001b[2J\n", 0);

    List<AttributedString> lines = renderer(colour).screen(state, BY_RANGE, 300, 24, 0);

    assertThat(lines.get(7).toString()).contains("a\\u{1b}[2J\\u{1b}[1;1Hb\\u{1b}]0;t\\u{7}");
    assertThat(lines.get(5).toString()).endsWith("why\\u{1b}[2J\\u{a}");
    assertThat(lines)
        .allSatisfy(line -> {
          assertThat(line.toString()).matches("\\P{C}*");
          assertThat(line.toAnsi().replaceAll("\u001b\\[[0-9;]*m", "")).matches("\\P{C}*");
        });
  }

  @Test
  void screen_noColour_hasNoColourInIt() {
    List<AttributedString> lines = renderer(false).screen(crowd(3), BY_RANGE, 120, 24, 0);

    assertThat(lines)
        .allSatisfy(
            line -> assertThat(line.toAnsi()).doesNotContain("\u001b[3", "\u001b[9", ";5;", "38;"));
  }

  @Test
  void screen_headerWithoutAnswer_tellsTotalsAndTrouble() {
    List<String> lines = screen(crowd(3), BY_RANGE, 100, 24);

    assertThat(lines.get(0)).isEqualTo("pagetide top  12:00:02  /run/pt");
    assertThat(lines.get(1)).matches("Memory {5}█+▒+·+ 11 MiB of 15 MiB resident \\(75 %\\)");
    assertThat(lines.get(2)).isEqualTo("Pages      █ used 24 KiB  ▒ available 3.9 MiB");
    assertThat(lines.get(3))
        .isEqualTo("Sessions   4  waiting uses 2  strays 7  contradictions 123k");
    assertThat(lines.get(4))
        .isEqualTo("Reclaimed  since the server started: memavailable 1M, watermark 7");
    assertThat(lines.get(5)).startsWith("NO ANSWER for 0.0s, trying again: the server \\u{1b}[2J");
  }

  @Test
  void screen_headerAfterTwoAnswers_tellsWhatIsReclaimedASecond() {
    Map<ReclaimTrigger, Long> reclaimed =
        Map.of(ReclaimTrigger.MEMAVAILABLE, 1_000_000L, ReclaimTrigger.WATERMARK, 7L);
    TopState state = state().answered(snapshot(2, List.of(), reclaimed));

    assertThat(screen(state, BY_RANGE, 100, 24))
        .contains("Reclaimed  500k pages/s: memavailable 500k, watermark 3.5")
        .noneMatch(line -> line.contains("NO ANSWER"));
  }

  @Test
  void answered_serverWasStartedAnew_comparesWithNothing() {
    TopState before =
        TopState.NOTHING.answered(snapshot(0, List.of(), Map.of(ReclaimTrigger.CLOSE, 9L)));

    assertThat(before.answered(snapshot(1, List.of(), Map.of())).reclaimed()).isNull();
    assertThat(
            before.answered(snapshot(1, List.of(), Map.of(ReclaimTrigger.CLOSE, 9L))).reclaimed())
        .isEmpty();
    assertThat(before.failed("x", 5).failed("y", 9))
        .isEqualTo(new TopState(before.last(), null, "y", 5));
  }

  @ParameterizedTest
  @EnumSource
  void screen_sortedByEachColumn_showsThatColumnAndItsOrder(TopColumn column) {
    TopState state =
        state(range(1, "b", 9, 1, 5), range(2, "c", 9, 3, 2), trespasser(3, "a", 4, 4));

    List<String> there = screen(state, new TopView(column, false, 0, false), 70, 24);
    List<String> back = screen(state, new TopView(column, true, 0, false), 70, 24);

    assertThat(there.get(6)).containsAnyOf(column.title() + "▾", column.title() + "▴");
    assertThat(first(there)).isNotEqualTo(first(back));
    assertThat(first(there))
        .isEqualTo(
            switch (column) {
              case RANGE, USED, PAGES -> "1";
              case AVAILABLE, OLDEST, OPEN, HIGH -> column == TopColumn.HIGH ? "1" : "2";
              default -> "3";
            });
  }

  private static String first(List<String> lines) {
    return lines.get(7).strip().split(" +", -1)[0];
  }

  @Test
  void scrolled_pastEitherEnd_stops() {
    TopView view = BY_RANGE.scrolled(1_000, 100, 16);

    assertThat(view.firstRow()).isEqualTo(84);
    assertThat(view.scrolled(Integer.MAX_VALUE, 100, 16).firstRow()).isEqualTo(84);
    assertThat(view.scrolled(-3, 100, 16).firstRow()).isEqualTo(81);
    assertThat(view.scrolled(-3, 10, 16).firstRow()).isZero();
    assertThat(screen(crowd(100), view, 80, 24).get(23)).startsWith("85-100 of 101");
  }

  @Test
  void listing_anyWidth_hasAllRowsAndNoKeys() {
    List<AttributedString> lines = renderer(false).listing(crowd(100), BY_RANGE, 1 << 20);

    assertThat(lines).hasSize(7 + 101);
    assertThat(lines.getLast().toString()).contains("\\u{1b}").endsWith("c\"\\\\");
    assertThat(lines).noneSatisfy(line -> assertThat(line.toString()).contains("quit"));
  }
}
