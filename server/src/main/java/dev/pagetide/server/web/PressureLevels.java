package dev.pagetide.server.web;

import dev.pagetide.server.page.ReclaimTrigger;
import dev.pagetide.server.pressure.PressureKind;
import dev.pagetide.server.pressure.PressureLevel;
import dev.pagetide.server.pressure.PressureObserver;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How hard each source of pressure pressed when the host was asked last. Thread-safe. */
public final class PressureLevels implements PressureObserver {
  private final Map<PressureKind, PressureLevel> levels = new ConcurrentHashMap<>();

  /** Levels of no source yet. */
  public PressureLevels() {}

  /** The levels of the sources that were heard of. */
  Map<PressureKind, PressureLevel> now() {
    Map<PressureKind, PressureLevel> copy = new EnumMap<>(PressureKind.class);
    copy.putAll(levels);
    return copy;
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
