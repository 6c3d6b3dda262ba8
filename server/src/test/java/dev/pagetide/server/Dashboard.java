package dev.pagetide.server;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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
   */
  record Query(String panel, String expression) {
    /** As Grafana would send it, with all servers chosen and some rate interval. */
    String forAllServers(String rateInterval) {
      String plain =
          expression
              .replace("$job", ".*")
              .replace("$instance", ".*")
              .replace("$__rate_interval", rateInterval);
      if (plain.contains("$")) {
        throw new AssertionError(panel + " asks for a variable that is not there: " + plain);
      }
      return plain;
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
    List<Query> queries = new ArrayList<>();
    for (JsonObject panel : panels()) {
      JsonElement targets = panel.get("targets");
      if (targets != null) {
        for (JsonObject target : RealPrometheus.objects(targets.getAsJsonArray())) {
          queries.add(new Query(title(panel), target.get("expr").getAsString()));
        }
      }
    }
    return queries;
  }

  static String title(JsonObject panel) {
    return panel.get("title").getAsString();
  }
}
