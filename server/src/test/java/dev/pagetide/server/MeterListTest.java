package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The meters and their labels as OPERATIONS.md lists them, against a scrape of a server. */
@WithServer
final class MeterListTest {
  private static final Path OPERATIONS = Path.of("docs", "OPERATIONS.md");

  private static final Pattern LISTED =
      Pattern.compile("\\* `(pagetide_\\w+(?:\\{[\\w, ]+})?)`: \\S.*");
  private static final Pattern TYPE = Pattern.compile("(?m)^# TYPE (pagetide_\\w+) (\\w+)$");
  private static final Pattern LABEL = Pattern.compile("(\\w+)=\"");
  private static final String MAXIMUM = "_max";

  /** The meters of a scrape: each name with its labels, sorted, as {@code name{label, label}}. */
  private static Set<String> meters(String scrape) {
    Set<String> names =
        TYPE.matcher(scrape)
            .results()
            .map(type -> type.group(1))
            .collect(Collectors.toCollection(TreeSet::new));
    names.removeIf(name ->
        name.endsWith(MAXIMUM)
            && names.contains(name.substring(0, name.length() - MAXIMUM.length())));
    return names.stream()
        .map(name -> name + labels(scrape, name))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static String labels(String scrape, String name) {
    Pattern series =
        Pattern.compile("(?m)^" + Pattern.quote(name) + "(?:_bucket|_count|_sum)?\\{([^}]*)}");
    Set<String> labels =
        series
            .matcher(scrape)
            .results()
            .flatMap(one -> LABEL.matcher(one.group(1)).results())
            .map(label -> label.group(1))
            .filter(label -> !label.equals("le"))
            .collect(Collectors.toCollection(TreeSet::new));
    return labels.isEmpty() ? "" : "{" + String.join(", ", labels) + "}";
  }

  private static Set<String> listed() throws IOException {
    Set<String> listed = new TreeSet<>();
    for (String item : DocumentsTest.itemsOf(OPERATIONS, "Meters")) {
      MatchResult match = LISTED.matcher(item).results().findFirst().orElse(null);
      assertThat(match).as(item).isNotNull();
      if (match != null) {
        listed.add(match.group(1));
      }
    }
    return listed;
  }

  @Test
  void operations_list_hasEachMeterWithItsLabelsAndNoOther(TestServer server) throws IOException {
    Set<String> meters = meters(server.scrape("text/plain").body());

    assertThat(meters).hasSizeGreaterThan(50);
    assertThat(listed()).isEqualTo(meters);
  }
}
