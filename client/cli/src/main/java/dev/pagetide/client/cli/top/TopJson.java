package dev.pagetide.client.cli.top;

import com.google.gson.JsonObject;
import dev.pagetide.client.cli.RangeJson;
import java.time.Instant;

/**
 * What the server said as one line of JSON; {@code pagetide top --help} tells the fields. All of it
 * is printable ASCII: whatever else a name holds is escaped.
 */
final class TopJson {
  private TopJson() {}

  /** An answer. */
  static String answer(TopSnapshot snapshot) {
    JsonObject answer = new JsonObject();
    answer.addProperty("time", snapshot.at().toString());
    RangeJson.addMemory(answer, snapshot.memory());
    answer.addProperty("sessions", snapshot.ranges().size());
    answer.add("reclaimed_pages", RangeJson.reclaimed(snapshot.memory()));
    answer.add("ranges", RangeJson.ranges(snapshot.ranges()));
    return RangeJson.line(answer);
  }

  /** Why there is none. */
  static String failure(Instant at, String sentence) {
    JsonObject failure = new JsonObject();
    failure.addProperty("time", at.toString());
    failure.addProperty("error", sentence);
    return RangeJson.line(failure);
  }
}
