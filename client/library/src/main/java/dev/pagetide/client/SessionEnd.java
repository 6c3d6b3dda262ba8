package dev.pagetide.client;

/**
 * How a session ended. The range and every byte in it are gone, whatever the cause.
 *
 * @param cause who or what ended it
 * @param message one sentence for a person
 */
public record SessionEnd(Cause cause, String message) {

  /** Who or what ended a session. */
  public enum Cause {
    /** The client closed the range, or itself. */
    CLOSED,
    /** The server stopped in good order: it drained, or it said that it is stopping. */
    SERVER_STOPPED,
    /** The server, or the connection to it, went away without a word. */
    SERVER_LOST,
    /** The server ended this session and gave another reason. */
    ENDED_BY_SERVER
  }
}
