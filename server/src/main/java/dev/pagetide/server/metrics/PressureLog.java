package dev.pagetide.server.metrics;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import dev.pagetide.server.pressure.PressureObserver;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs the host's memory pressure: one line when a source begins to report pressure, and one when
 * it ends, however many decisions lie between. Only for the monitor's thread.
 */
public final class PressureLog implements PressureObserver {
  private static final Logger LOG = LoggerFactory.getLogger(PressureLog.class);

  /** One source from its first level above NONE until it is NONE again. */
  private static final class Episode {
    private PressureLevel worst;
    private long reclaimed;
    private long wouldHaveReclaimed;

    Episode(PressureLevel first) {
      this.worst = first;
    }
  }

  private final Map<PressureKind, Episode> episodes = new EnumMap<>(PressureKind.class);
  private final Map<PressureKind, Long> failures = new EnumMap<>(PressureKind.class);

  /** Logs once which sources this host lacks: one line, or none if it has all. */
  public static void tellMissing(Map<PressureKind, String> missing) {
    if (!missing.isEmpty()) {
      LOG.info("memory pressure: this host lacks {}", missing(missing));
    }
  }

  private static String missing(Map<PressureKind, String> missing) {
    return missing.entrySet().stream()
        .map(source ->
            String.format(Locale.ROOT, "%s (%s)", name(source.getKey()), source.getValue()))
        .collect(Collectors.joining(", "));
  }

  @Override
  public void decided(
      ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun) {
    Episode episode = episodes.get(PressureKind.of(trigger));
    if (episode != null) {
      episode.reclaimed += reclaimed;
      episode.wouldHaveReclaimed += dryRun ? wanted : 0;
    }
  }

  @Override
  public void levelChanged(PressureKind source, PressureLevel level) {
    Episode episode = episodes.get(source);
    if (level == PressureLevel.NONE) {
      episodes.remove(source);
      if (episode != null) {
        LOG.info("{}", ended(source, episode));
      }
    } else if (episode == null) {
      episodes.put(source, new Episode(level));
      LOG.info("memory pressure: source={} level={}", name(source), name(level));
    } else if (level.compareTo(episode.worst) > 0) {
      episode.worst = level;
    }
  }

  private static String ended(PressureKind source, Episode episode) {
    String text =
        String.format(
            Locale.ROOT,
            "memory pressure over: source=%s worst=%s reclaimed=%d pages",
            name(source),
            name(episode.worst),
            episode.reclaimed);
    return episode.wouldHaveReclaimed == 0
        ? text
        : String.format(
            Locale.ROOT,
            "%s; without --pressure=dry-run it would have been %d",
            text,
            episode.wouldHaveReclaimed);
  }

  @Override
  public void presenceChanged(PressureKind source, @Nullable String missing) {
    if (missing == null) {
      LOG.info("memory pressure: this host has source={} again", name(source));
    } else {
      LOG.warn("memory pressure: this host has source={} no more ({})", name(source), missing);
    }
  }

  /** Logs the first failure of a source with its stack trace, then only each thousandth. */
  @Override
  public void failed(PressureKind source, Throwable cause) {
    long count = failures.merge(source, 1L, Long::sum);
    if (count == 1) {
      LOG.error("memory pressure: source={} failed; it is tried again", name(source), cause);
    } else if (count % 1000 == 0) {
      LOG.error(
          "memory pressure: source={} failed {} times: {}", name(source), count, cause.toString());
    }
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
