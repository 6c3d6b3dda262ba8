package dev.pagetide.client;

/** Which {@link RangeAccess} a client's ranges are to have. */
public enum AccessChoice {
  /** Shared where the server hands the file over, remote where it does not. */
  AUTO,

  /** Shared; opening fails where the file cannot be had, and attaching always does. */
  SHARED,

  /** Remote, always. */
  REMOTE
}
