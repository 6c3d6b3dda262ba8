package dev.pagetide.server.page;

/** What a range is for, and so where its page words lie. */
public enum RangeMode {
  /** Its client uses and stops pages itself: the words lie in the shared file. */
  PAGES,
  /**
   * The server allocates buffers in it: the words lie in the server's memory, where no client
   * reaches them. The table in the shared file stays zeros.
   */
  BUFFERS
}
