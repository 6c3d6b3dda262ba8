package dev.pagetide.server.budget;

/** What made the server decide to reclaim pages, or to check whether it should. */
public enum ReclaimTrigger {
  /** A request for pages found no room below a limit, and reclaimed what was missing at once. */
  BUDGET,
  /** The charge rose above the high watermark. */
  WATERMARK,
  /** Some tasks stalled for want of memory (PSI, {@code some}). */
  PSI_SOME,
  /** All tasks stalled for want of memory (PSI, {@code full}). */
  PSI_FULL,
  /** The control group's memory came near its limit, or near {@code memory.high}. */
  CGROUP,
  /** The machine's available memory ran low. */
  MEMAVAILABLE,
  /** The operator asked for it. */
  REQUEST,
  /** A request waits for memory. */
  WAITER,
  /** A session ended; its memory comes back without a scan. */
  CLOSE
}
