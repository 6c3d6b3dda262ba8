package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.List;

/**
 * The three stalls that the kernel is asked to tell of, from the mildest to the worst, and the
 * share of what is AVAILABLE that each takes at first.
 *
 * <p>A share is {@code available >> priority}, the kernel's own shape ({@code get_scan_count} of
 * {@code mm/vmscan.c}). The kernel starts at priority 12 because it comes by many times a second; a
 * trigger fires once in two seconds at most, so these start nearer the end.
 */
public enum StallTrigger {
  /** Some task stalled 70 ms of 2 s: a hint. 1/64 gives an allocator that stalls a first breath. */
  SOME_70("some 70000 2000000", 6, PressureLevel.LOW, ReclaimTrigger.PSI_SOME),
  /** Some task stalled 100 ms of 2 s. */
  SOME_100("some 100000 2000000", 4, PressureLevel.MEDIUM, ReclaimTrigger.PSI_SOME),
  /** No task ran for 100 ms of 2 s, for want of memory: the machine is thrashing. */
  FULL_100("full 100000 2000000", 2, PressureLevel.CRITICAL, ReclaimTrigger.PSI_FULL);

  /**
   * The span that the kernel measures in, in all of the texts. An unprivileged trigger needs a
   * multiple of 2 s, and kernels without those refuse shorter ones to everybody.
   */
  static final long WINDOW_NANOS = 2_000_000_000L;

  /** The order in which they are armed, and so the numbers they have among a kernel's events. */
  static final List<StallTrigger> MILDEST_FIRST = List.of(SOME_70, SOME_100, FULL_100);

  private final String text;
  private final int startPriority;
  private final PressureLevel level;
  private final ReclaimTrigger trigger;

  StallTrigger(String text, int startPriority, PressureLevel level, ReclaimTrigger trigger) {
    this.text = text;
    this.startPriority = startPriority;
    this.level = level;
    this.trigger = trigger;
  }

  /** What is written into the kernel's file. */
  String text() {
    return text;
  }

  /** How far what is AVAILABLE is shifted at first. */
  int startPriority() {
    return startPriority;
  }

  /** How hard the host presses where this fires. */
  PressureLevel level() {
    return level;
  }

  /** What a scan for it counts as. */
  ReclaimTrigger trigger() {
    return trigger;
  }
}
