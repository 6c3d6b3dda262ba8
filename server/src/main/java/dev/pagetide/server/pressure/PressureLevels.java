package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** The level of each source of pressure at its last reading. Thread-safe. */
public final class PressureLevels implements PressureObserver {
  private final Map<PressureKind, PressureLevel> levels = new ConcurrentHashMap<>();

  /** Levels without a source yet. */
  public PressureLevels() {}

  /** The level of one source; NONE if it has not reported one. */
  public PressureLevel of(PressureKind source) {
    return levels.getOrDefault(source, PressureLevel.NONE);
  }

  /** The numbers of the levels of the sources that have reported one, by the sources' names. */
  public Map<String, Integer> byName() {
    Map<String, Integer> numbers = new TreeMap<>();
    levels.forEach(
        (source, level) -> numbers.put(source.name().toLowerCase(Locale.ROOT), level.number()));
    return numbers;
  }

  @Override
  public void decided(
      ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun) {}

  @Override
  public void levelChanged(PressureKind source, PressureLevel level) {
    levels.put(source, level);
  }

  @Override
  public void failed(PressureKind source, Throwable cause) {}
}
