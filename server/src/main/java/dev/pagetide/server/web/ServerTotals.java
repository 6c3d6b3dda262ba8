package dev.pagetide.server.web;

import com.google.gson.stream.JsonWriter;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.page.PageCounters;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionRegistry;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What the map shows of the server as a whole, read for each frame. Thread-safe. */
final class ServerTotals {
  private final SessionRegistry sessions;
  private final Shrinker shrinker;
  private final PageBudget budget;
  private final @Nullable Supplier<Map<String, Integer>> pressure;

  /**
   * The totals of a server.
   *
   * @param pressure the level of each source of pressure, by its name; null if the server reads no
   *     source
   */
  ServerTotals(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      @Nullable Supplier<Map<String, Integer>> pressure) {
    this.sessions = sessions;
    this.shrinker = shrinker;
    this.budget = budget;
    this.pressure = pressure;
  }

  /**
   * Writes them as one JSON object.
   *
   * @param counted the pages of all ranges, shown or not
   * @param shown how many ranges are shown page by page
   */
  void tell(JsonWriter json, PageSums counted, int shown) throws IOException {
    PageCounters counters = shrinker.counters();
    json.beginObject();
    json.name("sessions").value(sessions.size());
    json.name("shown").value(shown);
    json.name("pages").value(counted.pages());
    json.name("available").value(counted.available());
    json.name("used").value(counted.used());
    json.name("resident").value(budget.chargedPages());
    json.name("budget").value(budget.limitPages());
    json.name("low").value(shrinker.config().lowWatermarkPages());
    json.name("high").value(shrinker.config().highWatermarkPages());
    json.name("waiting").value(shrinker.allocationQueue().size());
    json.name("allocated").value(counters.allocated());
    json.name("closed").value(counters.closed());
    json.name("strays").value(counters.strays());
    json.name("reclaimed").beginObject();
    for (ReclaimTrigger trigger : ReclaimTrigger.values()) {
      if (counters.reclaimed(trigger) > 0) {
        json.name(trigger.name().toLowerCase(Locale.ROOT)).value(counters.reclaimed(trigger));
      }
    }
    json.endObject();
    if (pressure != null) {
      json.name("pressure").beginObject();
      for (Map.Entry<String, Integer> source : pressure.get().entrySet()) {
        json.name(source.getKey()).value(source.getValue());
      }
      json.endObject();
    }
    json.endObject();
  }
}
