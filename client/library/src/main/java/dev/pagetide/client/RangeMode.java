package dev.pagetide.client;

/** What a range is for. */
public enum RangeMode {
  /** The client uses and stops pages itself. */
  PAGES,

  /** The server allocates transaction buffers in it. */
  BUFFERS,

  /** Something that a newer server knows and this client does not. */
  UNRECOGNIZED
}
