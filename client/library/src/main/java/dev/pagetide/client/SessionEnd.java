package dev.pagetide.client;

/**
 * How a session ended. The range and every byte in it are gone, whatever the cause.
 *
 * @param cause what ended it
 * @param message one sentence for a person
 */
public record SessionEnd(Cause cause, String message) {

  /** What ended a session. */
  public enum Cause {
    /** The client closed the range, or itself. */
    CLOSED,
    /** The server stopped in an orderly way: it drained, or it said that it is stopping. */
    SERVER_STOPPED,
    /** The server, or the connection to it, was lost without a message. */
    SERVER_LOST,
    /** The server ended this session and gave another reason. */
    ENDED_BY_SERVER
  }
}
