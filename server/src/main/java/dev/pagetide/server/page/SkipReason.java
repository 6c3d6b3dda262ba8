package dev.pagetide.server.page;

/** Why the shrinker passed over a page it had chosen. */
public enum SkipReason {
  /**
   * The range was busy: another thread held its lock, or waited for it, or was using pages of it.
   */
  LOCKED,
  /** The page was used, or used and stopped, since it was chosen. */
  CHANGED,
  /** The range was closing. */
  CLOSING,
  /** The kernel refused to punch; the page is AVAILABLE as before. */
  PUNCH_FAILED
}
