package dev.pagetide.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.pagetide.client.MemoryStatus;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PageRun;
import dev.pagetide.client.RangeDescription;
import dev.pagetide.client.RangeStatus;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The server's answers about ranges and memory, as JSON. Each command's {@code --help} lists its
 * fields. The same thing has the same name in all of them.
 */
public final class RangeJson {
  private static final int LAST_PRINTABLE = 0x7e;
  private static final int NANO_DIGITS = 9;

  private RangeJson() {}

  /** The live ranges, as an array. */
  public static JsonArray ranges(List<RangeStatus> ranges) {
    JsonArray json = new JsonArray();
    ranges.forEach(range -> json.add(range(range)));
    return json;
  }

  private static JsonObject range(RangeStatus range) {
    boolean tcp = RangeTexts.isTcp(range);
    JsonObject json = new JsonObject();
    json.addProperty("range_id", id(range.rangeId()));
    json.addProperty("name", range.name());
    json.addProperty("pid", range.pid() == 0 ? null : range.pid());
    json.addProperty("uid", tcp ? null : range.uid());
    json.addProperty("transport", tcp ? "tcp" : "unix");
    json.addProperty("mode", RangeTexts.mode(range.mode()));
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

  /** One range's pages. */
  static JsonObject pages(PageRange range, RangeDescription now) {
    JsonObject json = new JsonObject();
    json.addProperty("range_id", id(range.rangeId()));
    json.addProperty("page_size", range.pageSize());
    json.addProperty("page_count", range.pageCount());
    json.addProperty("free_pages", now.freePages());
    json.addProperty("available_pages", now.availablePages());
    json.addProperty("used_pages", now.usedPages());
    json.addProperty("high_watermark", now.highWatermark());
    JsonArray runs = new JsonArray();
    for (PageRun run : now.runs()) {
      JsonObject pages = new JsonObject();
      pages.addProperty("state", run.state().name().toLowerCase(Locale.ROOT));
      pages.addProperty("start_page", run.pages().startPage());
      pages.addProperty("end_page", run.pages().endPage());
      runs.add(pages);
    }
    json.add("runs", runs);
    return json;
  }

  /** Adds the state of memory to {@code json}. */
  public static void addMemory(JsonObject json, MemoryStatus memory) {
    json.addProperty("page_size", memory.pageSize());
    json.addProperty("resident_pages", memory.residentPages());
    json.addProperty("budget_pages", memory.budgetPages());
    json.addProperty("available_pages", memory.availablePages());
    json.addProperty("waiting", memory.waiting());
  }

  /** How many pages came back, by the reason why the server reclaimed them. */
  public static JsonObject reclaimed(MemoryStatus memory) {
    JsonObject reclaimed = new JsonObject();
    memory.reclaimedPages().entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(
            count -> reclaimed.addProperty(RangeTexts.trigger(count.getKey()), count.getValue()));
    return reclaimed;
  }

  private static BigInteger id(long unsigned) {
    return new BigInteger(Long.toUnsignedString(unsigned));
  }

  private static @Nullable BigDecimal seconds(@Nullable Duration time) {
    return time == null
        ? null
        : BigDecimal.valueOf(time.getSeconds())
            .add(BigDecimal.valueOf(time.getNano(), NANO_DIGITS));
  }

  /**
   * {@code json} on one line of printable ASCII. In JSON other characters are in strings only,
   * where an escape means the same.
   */
  public static String line(JsonObject json) {
    StringBuilder line = new StringBuilder();
    for (char c : json.toString().toCharArray()) {
      if (c <= LAST_PRINTABLE) {
        line.append(c);
      } else {
        line.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
      }
    }
    return line.toString();
  }
}
