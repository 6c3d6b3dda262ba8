package dev.pagetide.client;

/** What lies beneath a {@link PageRange}; its behaviour is the same either way. */
public enum RangeAccess {
  /**
   * The range's file is mapped into this process: resident pages are used, stopped, read and
   * written without asking the server.
   */
  SHARED,

  /** Every operation is an rpc. A range that another client opened is always remote. */
  REMOTE
}
