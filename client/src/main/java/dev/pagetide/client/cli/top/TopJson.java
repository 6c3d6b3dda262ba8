package dev.pagetide.client.cli.top;

import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.RangeStatus;
import dev.pagetide.v1.Transport;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What the server said as one line of JSON; {@code pagetide top --help} tells the fields. All of it
 * is printable ASCII: whatever else a name holds is escaped.
 */
final class TopJson {
  private static final int FIRST_PRINTABLE = 0x20;
  private static final int LAST_PRINTABLE = 0x7e;

  private TopJson() {}

  /** An answer. */
  static String answer(TopSnapshot snapshot) {
    MemoryStatus memory = snapshot.memory();
    return "{"
        + String.join(
            ",",
            List.of(
                field("time", text(snapshot.at().toString())),
                field("page_size", memory.pageSize()),
                field("resident_pages", memory.residentPages()),
                field("budget_pages", memory.budgetPages()),
                field("available_pages", memory.availablePages()),
                field("waiting", memory.waiting()),
                field("sessions", snapshot.ranges().size()),
                field("reclaimed_pages", reclaimed(memory)),
                field(
                    "ranges",
                    snapshot.ranges().stream()
                        .map(TopJson::range)
                        .collect(Collectors.joining(",", "[", "]")))))
        + "}";
  }

  /** Why there is none. */
  static String failure(Instant at, String sentence) {
    return "{" + field("time", text(at.toString())) + "," + field("error", text(sentence)) + "}";
  }

  private static String reclaimed(MemoryStatus memory) {
    return memory.reclaimedPages().entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .map(count -> field(TopRenderer.trigger(count.getKey()), count.getValue()))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String range(RangeStatus range) {
    boolean local = range.transport() == Transport.TRANSPORT_UNIX;
    return "{"
        + String.join(
            ",",
            List.of(
                field("range_id", Long.toUnsignedString(range.rangeId())),
                field("name", text(range.name())),
                field("pid", range.pid() == 0 ? "null" : Integer.toString(range.pid())),
                field("uid", local ? Long.toString(range.uid()) : "null"),
                field("transport", text(local ? "unix" : "tcp")),
                field("mode", text(TopColumn.mode(range.mode()))),
                field("open_time", text(range.openTime().toString())),
                field("free_pages", range.freePages()),
                field("available_pages", range.availablePages()),
                field("used_pages", range.usedPages()),
                field("high_watermark", range.highWatermark()),
                field("strays", range.strays()),
                field("contradictions", range.contradictions()),
                field(
                    "oldest_used_seconds",
                    range.oldestUsed().map(TopJson::seconds).orElse("null"))))
        + "}";
  }

  private static String seconds(Duration time) {
    return "%d.%09d".formatted(time.getSeconds(), time.getNano());
  }

  private static String field(String name, long value) {
    return field(name, Long.toString(value));
  }

  private static String field(String name, String json) {
    return "\"" + name + "\":" + json;
  }

  /** A JSON string. */
  static String text(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c >= FIRST_PRINTABLE && c <= LAST_PRINTABLE) {
        json.append(c);
      } else {
        json.append("\\u%04x".formatted((int) c));
      }
    }
    return json.append('"').toString();
  }
}
