package dev.pagetide.client.cli.top;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.client.cli.RangeTexts;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the server said as one line of JSON; {@code pagetide top --help} tells the fields. All of it
 * is printable ASCII: whatever else a name holds is escaped.
 */
final class TopJson {
  private static final int LAST_PRINTABLE = 0x7e;
  private static final int NANO_DIGITS = 9;

  private TopJson() {}

  /** An answer. */
  static String answer(TopSnapshot snapshot) {
    MemoryStatus memory = snapshot.memory();
    JsonObject answer = new JsonObject();
    answer.addProperty("time", snapshot.at().toString());
    answer.addProperty("page_size", memory.pageSize());
    answer.addProperty("resident_pages", memory.residentPages());
    answer.addProperty("budget_pages", memory.budgetPages());
    answer.addProperty("available_pages", memory.availablePages());
    answer.addProperty("waiting", memory.waiting());
    answer.addProperty("sessions", snapshot.ranges().size());
    JsonObject reclaimed = new JsonObject();
    memory.reclaimedPages().entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(
            count -> reclaimed.addProperty(RangeTexts.trigger(count.getKey()), count.getValue()));
    answer.add("reclaimed_pages", reclaimed);
    JsonArray ranges = new JsonArray();
    snapshot.ranges().forEach(range -> ranges.add(range(range)));
    answer.add("ranges", ranges);
    return line(answer);
  }

  /** Why there is none. */
  static String failure(Instant at, String sentence) {
    JsonObject failure = new JsonObject();
    failure.addProperty("time", at.toString());
    failure.addProperty("error", sentence);
    return line(failure);
  }

  private static JsonObject range(RangeStatus range) {
    boolean tcp = RangeTexts.isTcp(range);
    JsonObject json = new JsonObject();
    json.addProperty("range_id", new BigInteger(Long.toUnsignedString(range.rangeId())));
    json.addProperty("name", range.name());
    json.addProperty("pid", range.pid() == 0 ? null : range.pid());
    json.addProperty("uid", tcp ? null : range.uid());
    json.addProperty("transport", tcp ? "tcp" : "unix");
    json.addProperty("mode", TopColumn.mode(range.mode()));
    json.addProperty("open_time", range.openTime().toString());
    json.addProperty("free_pages", range.freePages());
    json.addProperty("available_pages", range.availablePages());
    json.addProperty("used_pages", range.usedPages());
    json.addProperty("high_watermark", range.highWatermark());
    json.addProperty("strays", range.strays());
    json.addProperty("contradictions", range.contradictions());
    json.addProperty("oldest_used_seconds", seconds(range.oldestUsed().orElse(null)));
    return json;
  }

  private static @Nullable BigDecimal seconds(@Nullable Duration time) {
    return time == null
        ? null
        : BigDecimal.valueOf(time.getSeconds())
            .add(BigDecimal.valueOf(time.getNano(), NANO_DIGITS));
  }

  /** In JSON what is not ASCII stands in strings only, where its escape means the same. */
  private static String line(JsonObject json) {
    StringBuilder line = new StringBuilder();
    for (char c : json.toString().toCharArray()) {
      if (c <= LAST_PRINTABLE) {
        line.append(c);
      } else {
        line.append("\\u%04x".formatted((int) c));
      }
    }
    return line.toString();
  }
}
