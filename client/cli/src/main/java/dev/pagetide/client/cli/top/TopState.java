package dev.pagetide.client.cli.top;

import dev.pagetide.client.ReclaimTrigger;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The knowledge about the server now: its last answer, what was reclaimed between the last two
 * answers, and what has failed since.
 *
 * @param last the last answer; null before the first
 * @param reclaimed pages a second that came back between the last two answers, by trigger, only
 *     those above 0; null if there is nothing to compare with
 * @param trouble why there is no newer answer, in the words of the server or the connection, not
 *     escaped yet; null while the server answers
 * @param troubleNanos the time since when that is so
 */
record TopState(
    @Nullable TopSnapshot last,
    @Nullable Map<ReclaimTrigger, Double> reclaimed,
    @Nullable String trouble,
    long troubleNanos) {

  /** Nothing is known yet. */
  static final TopState NOTHING = new TopState(null, null, null, 0);

  private static final double NANOS_A_SECOND = 1e9;

  /** The server has answered. */
  TopState answered(TopSnapshot snapshot) {
    return new TopState(snapshot, last == null ? null : rates(last, snapshot), null, 0);
  }

  /** The server has not answered. The last answer is kept, and is known to be old. */
  TopState failed(String sentence, long nanos) {
    return new TopState(last, null, sentence, trouble == null ? nanos : troubleNanos);
  }

  /** The rates between two answers; null if a count fell, because then the server has restarted. */
  private static @Nullable Map<ReclaimTrigger, Double> rates(TopSnapshot from, TopSnapshot to) {
    double seconds = (to.nanos() - from.nanos()) / NANOS_A_SECOND;
    Map<ReclaimTrigger, Long> before = from.memory().reclaimedPages();
    Map<ReclaimTrigger, Long> after = to.memory().reclaimedPages();
    if (seconds <= 0 || !after.keySet().containsAll(before.keySet())) {
      return null;
    }
    Map<ReclaimTrigger, Double> rates = new EnumMap<>(ReclaimTrigger.class);
    for (Map.Entry<ReclaimTrigger, Long> count : after.entrySet()) {
      long pages = count.getValue() - before.getOrDefault(count.getKey(), 0L);
      if (pages < 0) {
        return null;
      }
      if (pages > 0) {
        rates.put(count.getKey(), pages / seconds);
      }
    }
    return rates;
  }
}
