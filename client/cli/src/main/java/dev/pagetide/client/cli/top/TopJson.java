package dev.pagetide.client.cli.top;

import com.google.gson.JsonObject;
import dev.pagetide.client.cli.RangeJson;
import java.time.Instant;

/**
 * The server's answer as one line of JSON; {@code pagetide top --help} lists the fields. All of it
 * is printable ASCII: any other character of a name is escaped.
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

  /** Why there is no answer. */
  static String failure(Instant at, String sentence) {
    JsonObject failure = new JsonObject();
    failure.addProperty("time", at.toString());
    failure.addProperty("error", sentence);
    return RangeJson.line(failure);
  }
}
