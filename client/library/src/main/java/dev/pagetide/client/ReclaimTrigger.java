package dev.pagetide.client;

/** What made the server reclaim pages. */
public enum ReclaimTrigger {
  /** A use found no room below a limit. */
  BUDGET,

  /** The charge rose above {@code --high-watermark}. */
  WATERMARK,

  /** Some tasks of the host stalled because they lacked memory. */
  PSI_SOME,

  /** All tasks of the host stalled because they lacked memory. */
  PSI_FULL,

  /** The control group came near its limit, or near {@code memory.high}. */
  CGROUP,

  /** The machine's available memory ran low. */
  MEMAVAILABLE,

  /** The operator asked for it. */
  REQUEST,

  /** A use waits for memory. */
  WAITER,

  /** A session ended. */
  CLOSE,

  /** Something that a newer server knows and this client does not. */
  UNRECOGNIZED
}
