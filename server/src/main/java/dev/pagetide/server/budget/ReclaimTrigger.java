package dev.pagetide.server.budget;

/** What made the server decide to take pages back, or to look whether it should. */
public enum ReclaimTrigger {
  /** A use found no room below a limit, and took what was missing right then. */
  BUDGET,
  /** The charge rose above the high watermark. */
  WATERMARK,
  /** Some tasks stalled for want of memory (PSI, {@code some}). */
  PSI_SOME,
  /** All tasks stalled for want of memory (PSI, {@code full}). */
  PSI_FULL,
  /** The control group's use came near its limit, or near {@code memory.high}. */
  CGROUP,
  /** The machine's available memory ran low. */
  MEMAVAILABLE,
  /** The operator asked for it. */
  REQUEST,
  /** Somebody waits for memory. */
  WAITER,
  /** A session ended; its memory comes back without a scan. */
  CLOSE
}
