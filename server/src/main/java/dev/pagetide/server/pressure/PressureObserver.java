package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import org.jspecify.annotations.Nullable;

/**
 * Is notified of what the {@link PressureMonitor} decides. Only the monitor's thread calls it. It
 * must return soon, because the monitor reclaims nothing meanwhile.
 */
public interface PressureObserver {
  /**
   * A reading asked for pages, and the monitor took as many of them as there were.
   *
   * @param wanted pages that the reading asked for; in a dry run, pages that the monitor would have
   *     taken
   * @param reclaimed pages that it took; 0 in a dry run
   */
  void decided(
      ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun);

  /** The level of a source has changed. */
  void levelChanged(PressureKind source, PressureLevel level);

  /** The monitor could not read a source, or could not act on it. It will try again. */
  void failed(PressureKind source, Throwable cause);

  /**
   * The host has a source that it did not have before, or no longer has it.
   *
   * @param missing why the host does not have it, as a clause; null if it has it
   */
  default void presenceChanged(PressureKind source, @Nullable String missing) {}

  /** An observer that notifies two others, in this order. */
  static PressureObserver both(PressureObserver first, PressureObserver second) {
    return new PressureObserver() {
      @Override
      public void decided(
          ReclaimTrigger trigger,
          PressureLevel level,
          long wanted,
          long reclaimed,
          boolean dryRun) {
        first.decided(trigger, level, wanted, reclaimed, dryRun);
        second.decided(trigger, level, wanted, reclaimed, dryRun);
      }

      @Override
      public void levelChanged(PressureKind source, PressureLevel level) {
        first.levelChanged(source, level);
        second.levelChanged(source, level);
      }

      @Override
      public void failed(PressureKind source, Throwable cause) {
        first.failed(source, cause);
        second.failed(source, cause);
      }

      @Override
      public void presenceChanged(PressureKind source, @Nullable String missing) {
        first.presenceChanged(source, missing);
        second.presenceChanged(source, missing);
      }
    };
  }
}
