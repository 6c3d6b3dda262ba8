package dev.pagetide.client;

/** Which {@link RangeAccess} a client's ranges are to have. */
public enum AccessMode {
  /** Shared where the server hands the file over, remote where it does not. */
  AUTO,

  /** Shared. Opening fails if the range's file cannot be mapped; attaching always fails. */
  SHARED,

  /** Remote, always. */
  REMOTE
}
