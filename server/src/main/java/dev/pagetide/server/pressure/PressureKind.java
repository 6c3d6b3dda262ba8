package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;

/** The sources that tell how short of memory a Linux host is. */
public enum PressureKind {
  /** The time for which tasks stalled because memory was short: {@code /proc/pressure/memory}. */
  PSI,
  /** The use and the limits of this process's control group, and of those above it. */
  CGROUP,
  /** The memory that the whole machine has left: {@code MemAvailable} of {@code /proc/meminfo}. */
  MEMAVAILABLE;

  /**
   * The source to which a trigger belongs.
   *
   * @throws IllegalArgumentException for a trigger that no source of this package has
   */
  public static PressureKind of(ReclaimTrigger trigger) {
    return switch (trigger) {
      case PSI_SOME, PSI_FULL -> PSI;
      case CGROUP -> CGROUP;
      case MEMAVAILABLE -> MEMAVAILABLE;
      case BUDGET, WATERMARK, REQUEST, WAITER, CLOSE ->
          throw new IllegalArgumentException(trigger + " is no pressure of the host");
    };
  }
}
