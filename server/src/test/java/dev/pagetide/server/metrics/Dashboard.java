package dev.pagetide.server.metrics;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The dashboard that we ship, as Grafana would read it.
 *
 * @param json all of it
 */
record Dashboard(JsonObject json) {
  private static final Path FILE = Path.of("ops", "grafana", "pagetide.json");

  /**
   * One query of it.
   *
   * @param panel the title of its panel
   * @param expression with Grafana's variables in it
   * @param all what the variables that say so themselves stand for where "All" is chosen
   */
  record Query(String panel, String expression, Map<String, String> all) {
    /**
     * As Grafana would send it, with "All" chosen: what the variable says that is, or else all the
     * values that it offers.
     */
    String forAllServers(RealPrometheus prometheus, String rateInterval) throws IOException {
      String plain =
          expression
              .replace("$job", allOf("job", prometheus))
              .replace("$instance", allOf("instance", prometheus))
              .replace("$__rate_interval", rateInterval);
      if (plain.contains("$")) {
        throw new AssertionError(panel + " asks for a variable that is not there: " + plain);
      }
      return plain;
    }

    private String allOf(String label, RealPrometheus prometheus) throws IOException {
      String own = all.get(label);
      return own != null
          ? own
          : String.join("|", prometheus.labelValues(label, "pagetide_budget_bytes"));
    }
  }

  static Dashboard read() throws IOException {
    return new Dashboard(JsonParser.parseString(Files.readString(FILE)).getAsJsonObject());
  }

  /** All panels, rows included, from top to bottom. */
  List<JsonObject> panels() {
    return RealPrometheus.objects(json.getAsJsonArray("panels"));
  }

  /** The queries of all panels and annotations. */
  List<Query> queries() {
    Map<String, String> all = new HashMap<>();
    for (JsonObject variable : variables()) {
      if (variable.has("allValue")) {
        all.put(variable.get("name").getAsString(), variable.get("allValue").getAsString());
      }
    }
    List<Query> queries = new ArrayList<>();
    for (JsonObject panel : panels()) {
      JsonElement targets = panel.get("targets");
      if (targets != null) {
        for (JsonObject target : RealPrometheus.objects(targets.getAsJsonArray())) {
          queries.add(new Query(title(panel), target.get("expr").getAsString(), all));
        }
      }
    }
    return queries;
  }

  /** The only query of a panel. */
  Query query(String panel) {
    List<Query> found = queries().stream().filter(query -> query.panel().equals(panel)).toList();
    if (found.size() != 1) {
      throw new AssertionError(panel + " has " + found.size() + " queries");
    }
    return found.getFirst();
  }

  /** Its variables. */
  List<JsonObject> variables() {
    return RealPrometheus.objects(json.getAsJsonObject("templating").getAsJsonArray("list"));
  }

  static String title(JsonObject panel) {
    return panel.get("title").getAsString();
  }
}
