package dev.pagetide.client;

/** How a {@link PageRange} reaches its pages. Its behaviour is the same either way. */
public enum RangeAccess {
  /**
   * The range's file is mapped into this process. The library uses, stops, reads and writes
   * resident pages without asking the server.
   */
  SHARED,

  /** Every operation is an rpc. A range that another client opened is always remote. */
  REMOTE
}
