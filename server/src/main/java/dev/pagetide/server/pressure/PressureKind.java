package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;

/** The places where a Linux host says how short of memory it is. */
public enum PressureKind {
  /** The time that tasks stalled for want of memory: {@code /proc/pressure/memory}. */
  PSI,
  /** The use and the limits of the control group this process runs in, and of those above it. */
  CGROUP,
  /** What the whole machine has left: {@code MemAvailable} of {@code /proc/meminfo}. */
  MEMAVAILABLE;

  /**
   * The source that a trigger belongs to.
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
