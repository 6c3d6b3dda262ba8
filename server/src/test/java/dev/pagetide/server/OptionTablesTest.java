package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.config.ServerOption;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The options and their defaults as the documents list them, against {@link ServerOption}. */
final class OptionTablesTest {
  private static final Path OPERATIONS = Path.of("docs", "OPERATIONS.md");
  private static final Path README = Path.of("..", "README.md");

  /** A table's row whose first cell has options: those, and the second cell. */
  private static final Pattern ROW = Pattern.compile("(?m)^\\| (`--[^|]*) \\| ([^|]*) \\|");

  private static final Pattern FLAG = Pattern.compile("`(--[a-z-]+)");
  private static final Pattern CELL_SEPARATOR = Pattern.compile(", ");

  private static final Map<String, ServerOption> OPTIONS =
      Arrays.stream(ServerOption.values())
          .collect(Collectors.toMap(ServerOption::flag, Function.identity()));

  /** How an item of the list begins. */
  private static String listed(ServerOption option) {
    return "* `%s=%s` (default: %s). "
        .formatted(option.flag(), option.valueLabel(), option.defaultText());
  }

  @Test
  void operations_list_hasEachOptionWithItsDefaultAndNoOther() throws IOException {
    List<String> items = DocumentsTest.itemsOf(OPERATIONS, "All options");

    for (ServerOption option : ServerOption.values()) {
      assertThat(items)
          .as(listed(option))
          .filteredOn(item -> item.startsWith(listed(option)))
          .hasSize(1);
    }
    assertThat(items).hasSameSizeAs(ServerOption.values());
  }

  @Test
  void operations_table_namesNoOptionThatThereIsNot() throws IOException {
    List<MatchResult> rows = rows(DocumentsTest.section(OPERATIONS, "Options that matter"));

    assertThat(rows).hasSizeGreaterThan(5);
    rows.forEach(row -> assertThat(OPTIONS.keySet()).containsAll(flags(row.group(1))));
  }

  /** A default in words may be shortened there; one that is a value is that value. */
  @Test
  void readme_table_tellsTheDefaultsOfOptionsThatThereAre() throws IOException {
    List<MatchResult> rows = rows(DocumentsTest.section(README, "Options that matter first"));

    assertThat(rows).hasSizeGreaterThan(5);
    for (MatchResult row : rows) {
      List<String> defaults = CELL_SEPARATOR.splitAsStream(row.group(2)).toList();
      List<String> flags = flags(row.group(1));
      assertThat(OPTIONS.keySet()).containsAll(flags);
      for (int i = 0; i < flags.size(); i++) {
        ServerOption option = OPTIONS.get(flags.get(i));
        if (option != null && isValue(option.defaultText())) {
          assertThat(defaults).as(row.group()).element(i).isEqualTo(option.defaultText());
        }
      }
    }
  }

  private static boolean isValue(String defaultText) {
    return !defaultText.contains(" ") && !defaultText.startsWith("--");
  }

  private static List<MatchResult> rows(String section) {
    return ROW.matcher(section).results().toList();
  }

  private static List<String> flags(String names) {
    return FLAG.matcher(names).results().map(flag -> flag.group(1)).toList();
  }
}
