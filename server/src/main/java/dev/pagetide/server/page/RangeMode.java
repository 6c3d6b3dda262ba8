package dev.pagetide.server.page;

/** What a range is for. It decides where the range's page words are. */
public enum RangeMode {
  /** Its client uses and stops pages itself, so the words are in the shared file. */
  PAGES,
  /**
   * The server allocates buffers in it, so the words are in the server's memory, where no client
   * reaches them. The table in the shared file stays zeros.
   */
  BUFFERS
}
