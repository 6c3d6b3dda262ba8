package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import org.jspecify.annotations.Nullable;

/**
 * Hears what the {@link PressureMonitor} decides. Called on its thread alone; has to return soon,
 * because nothing is reclaimed meanwhile.
 */
public interface PressureObserver {
  /**
   * A reading asked for pages, and they were taken as far as there were any.
   *
   * @param wanted pages asked for; in a dry run those that would have been taken
   * @param reclaimed pages taken; 0 in a dry run
   */
  void decided(
      ReclaimTrigger trigger, PressureLevel level, long wanted, long reclaimed, boolean dryRun);

  /** A source presses harder than before, or less. */
  void levelChanged(PressureKind source, PressureLevel level);

  /** A source could not be read, or what follows from it could not be done; it is tried again. */
  void failed(PressureKind source, Throwable cause);

  /**
   * The host has a source that it did not have before, or has it no more.
   *
   * @param missing why it does not have it, as a clause; null: it has
   */
  default void presenceChanged(PressureKind source, @Nullable String missing) {}

  /** One that tells two others, in this order. */
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
