package dev.pagetide.server.metrics;

import static dev.pagetide.server.metrics.MeterTags.add;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How often a limit stopped a client, by limit. This includes refused openings. There are as many
 * series as limits. Thread-safe.
 */
public final class CutOffMeters implements CutOffObserver {
  /** All limits that a client can reach: options, and limits that no option raises. */
  private static final List<String> LIMITS =
      List.of(
          "--max-sessions",
          "--max-sessions-per-uid",
          "--max-requests-in-flight",
          "--max-request-bytes-in-flight",
          "--request-wait",
          "--max-connections",
          "--max-handoffs",
          "--handoff-wait",
          "--http-wait",
          "http-connections",
          "unread-answers",
          "http2-resets",
          "http2-updates",
          "http2-control");

  private final Map<String, Counter> counters = new HashMap<>();
  private final Counter other;

  /** Registers all counters. Each begins at 0. */
  public CutOffMeters(MeterRegistry registry) {
    for (String limit : LIMITS) {
      counters.put(limit, counter(registry, tag(limit)));
    }
    this.other = counter(registry, "other");
  }

  private static Counter counter(MeterRegistry registry, String limit) {
    return Counter.builder("pagetide.clients.cut.off")
        .description(
            "Times that a limit refused a client, hung up on it or stopped reading from it, by the"
                + " limit: max_sessions and max_sessions_per_uid are openings that were refused.")
        .tag("limit", limit)
        .register(registry);
  }

  /** An option as a tag's value: {@code --max-sessions} is {@code max_sessions}. */
  private static String tag(String limit) {
    return limit.replaceFirst("^--", "").replace('-', '_').toLowerCase(Locale.ROOT);
  }

  @Override
  public void cutOff(Peer peer, String limit, String why) {
    add(counters.getOrDefault(limit, other), 1);
  }
}
