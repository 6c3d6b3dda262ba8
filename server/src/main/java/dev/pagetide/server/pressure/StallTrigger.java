package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import java.util.List;

/**
 * The three stalls of which the kernel notifies the server, from the mildest to the worst, and the
 * share of the AVAILABLE pages that each takes at first.
 *
 * <p>A share is {@code available >> priority}, as in the kernel ({@code get_scan_count} of {@code
 * mm/vmscan.c}). The kernel starts at priority 12 because it scans many times a second. A trigger
 * fires at most once in two seconds, so these start with larger shares.
 */
enum StallTrigger {
  /**
   * Some task stalled 70 ms of 2 s, which is a hint. 1/64 is a first relief for an allocator that
   * stalls.
   */
  SOME_70("some 70000 2000000", 6, PressureLevel.LOW, ReclaimTrigger.PSI_SOME),
  /** Some task stalled 100 ms of 2 s. */
  SOME_100("some 100000 2000000", 4, PressureLevel.MEDIUM, ReclaimTrigger.PSI_SOME),
  /** All non-idle tasks stalled 100 ms of 2 s because memory was short: the machine thrashes. */
  FULL_100("full 100000 2000000", 2, PressureLevel.CRITICAL, ReclaimTrigger.PSI_FULL);

  /**
   * The window in which the kernel measures, the same in all of the texts. An unprivileged trigger
   * needs a multiple of 2 s, and kernels without such triggers refuse shorter windows to everybody.
   */
  static final long WINDOW_NANOS = 2_000_000_000L;

  /** The order in which they are armed, and so their numbers among the kernel's events. */
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

  /** The text to write into the kernel's file. */
  String text() {
    return text;
  }

  /** The priority at first: by how many bits the number of AVAILABLE pages is shifted. */
  int startPriority() {
    return startPriority;
  }

  /** The level of pressure when this fires. */
  PressureLevel level() {
    return level;
  }

  /** The trigger under which a scan for it is counted. */
  ReclaimTrigger trigger() {
    return trigger;
  }
}
