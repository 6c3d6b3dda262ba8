package dev.pagetide.client.cli.top;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pagetide.client.ReclaimTrigger;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The lines for scripts. */
final class TopJsonTest {
  @Test
  void answer_hostileName_isOnePrintableLineThatParsesBack() {
    String line =
        TopJson.answer(
            TopSamples.snapshot(
                0,
                List.of(
                    TopSamples.range(-1, TopSamples.HOSTILE + "\ud83d\ude00\u2028\ud800", 1, 2, 3),
                    TopSamples.trespasser(2, "", 7, 8)),
                Map.of(ReclaimTrigger.PSI_SOME, 5L)));

    assertThat(line).matches("[ -~]+");
    JsonObject parsed = JsonParser.parseString(line).getAsJsonObject();
    assertThat(parsed.keySet())
        .containsExactly(
            "time",
            "page_size",
            "resident_pages",
            "budget_pages",
            "available_pages",
            "waiting",
            "sessions",
            "reclaimed_pages",
            "ranges");
    assertThat(parsed.get("time").getAsString()).isEqualTo("2026-01-02T12:00:00Z");
    assertThat(parsed.get("resident_pages").getAsLong()).isEqualTo(3_000);
    assertThat(parsed.get("reclaimed_pages")).hasToString("{\"psi_some\":5}");
    JsonObject hostile = parsed.getAsJsonArray("ranges").get(0).getAsJsonObject();
    assertThat(hostile.get("name").getAsString())
        .isEqualTo(TopSamples.HOSTILE + "\ud83d\ude00\u2028\ud800");
    assertThat(hostile.get("range_id").getAsBigInteger()).hasToString("18446744073709551615");
    assertThat(hostile.get("oldest_used_seconds").getAsString()).isEqualTo("1.234000000");
    JsonObject other = parsed.getAsJsonArray("ranges").get(1).getAsJsonObject();
    assertThat(other.get("pid").isJsonNull()).isTrue();
    assertThat(other.get("uid").isJsonNull()).isTrue();
    assertThat(other.get("oldest_used_seconds").isJsonNull()).isTrue();
    assertThat(other.get("contradictions").getAsLong()).isEqualTo(8);
  }

  @Test
  void failure_sentence_isAnErrorAndNothingElse() {
    JsonObject parsed =
        JsonParser.parseString(TopJson.failure(TopSamples.NOON, "no \"server\"\n"))
            .getAsJsonObject();

    assertThat(parsed.keySet()).containsExactly("time", "error");
    assertThat(parsed.get("error").getAsString()).isEqualTo("no \"server\"\n");
  }
}
