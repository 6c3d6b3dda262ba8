package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The dashboard can be imported as it is, and can be read. */
final class DashboardTest {
  private static final int COLUMNS = 24;

  /** A metric's name and what stands behind it: the selector, if it has one. */
  private static final Pattern METRIC =
      Pattern.compile("\\b(?:up|(?:pagetide|grpc|jvm|process|system)_\\w+)\\b(\\{[^}]*})?");

  @SuppressWarnings("NullAway.Init")
  private Dashboard dashboard;

  @BeforeEach
  void read() throws IOException {
    dashboard = Dashboard.read();
  }

  @Test
  void dataSource_everywhere_isTheVariable() {
    List<JsonObject> variables = dashboard.variables();
    assertThat(variables.getFirst().get("name").getAsString()).isEqualTo("datasource");
    assertThat(variables.getFirst().get("type").getAsString()).isEqualTo("datasource");
    assertThat(variables.getFirst().get("query").getAsString()).isEqualTo("prometheus");
    assertThat(dashboard.json().has("__inputs")).isFalse();
    String text = dashboard.json().toString();
    int uids = text.split("\"uid\":", -1).length - 1;
    int ofTheVariable = text.split("\"uid\":\"\\$\\{datasource}\"", -1).length - 1;
    assertThat(uids - ofTheVariable).as("uids besides the dashboard's own").isEqualTo(1);
    assertThat(dashboard.json().get("uid").getAsString()).isEqualTo("pagetide");
  }

  @Test
  void variables_jobAndServer_areThoseThatHavePagetidesSeriesAndAllIsNoMore() {
    assertThat(dashboard.variables().stream().map(variable -> variable.get("name").getAsString()))
        .containsExactly("datasource", "job", "instance");
    assertThat(dashboard.variables().subList(1, 3))
        .allSatisfy(variable -> {
          assertThat(variable.get("definition").getAsString())
              .startsWith("label_values(pagetide_budget_bytes");
          assertThat(variable.get("includeAll").getAsBoolean()).isTrue();
          assertThat(variable.has("allValue")).isFalse();
        });
  }

  @Test
  void queries_eachOfThem_askForTheChosenServersAlone() {
    assertThat(dashboard.queries())
        .hasSizeGreaterThan(60)
        .allSatisfy(query -> {
          List<String> selectors =
              METRIC
                  .matcher(query.expression())
                  .results()
                  .map(found -> String.valueOf(found.group(1)))
                  .toList();
          assertThat(selectors)
              .as(query.expression())
              .isNotEmpty()
              .allMatch(selector -> selector.startsWith("{job=~\"$job\", instance=~\"$instance\""));
        });
  }

  @Test
  void rows_ofTheDashboard_areItsFiveSubjects() {
    assertThat(
            dashboard.panels().stream()
                .filter(panel -> panel.get("type").getAsString().equals("row"))
                .map(Dashboard::title))
        .containsExactly("Overview", "Shrinker", "Sessions", "Transactions", "JVM");
  }

  @Test
  void panels_eachOfThem_saysWhatItShowsAndHasItsPlace() {
    Set<Integer> ids = new HashSet<>();
    Map<List<Integer>, String> cells = new HashMap<>();
    for (JsonObject panel : dashboard.panels()) {
      String title = Dashboard.title(panel);
      assertThat(ids.add(panel.get("id").getAsInt())).as(title).isTrue();
      JsonObject place = panel.getAsJsonObject("gridPos");
      int left = place.get("x").getAsInt();
      int top = place.get("y").getAsInt();
      assertThat(left + place.get("w").getAsInt()).as(title).isLessThanOrEqualTo(COLUMNS);
      for (int x = left; x < left + place.get("w").getAsInt(); x++) {
        for (int y = top; y < top + place.get("h").getAsInt(); y++) {
          assertThat(cells.put(List.of(x, y), title)).as(title + " overlaps").isNull();
        }
      }
      if (!panel.get("type").getAsString().equals("row")) {
        assertThat(panel.get("description").getAsString()).as(title).isNotEmpty();
        JsonObject defaults = panel.getAsJsonObject("fieldConfig").getAsJsonObject("defaults");
        assertThat(defaults.get("unit").getAsString()).as(title).isNotEmpty();
        assertThat(panel.getAsJsonArray("targets")).as(title).isNotEmpty();
      }
    }
  }
}
