package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import java.util.List;

/** A message to an endpoint: an answer to one of its commands, or news. */
public sealed interface Event {
  /** The number of the command that this answers; 0: it answers none. */
  long command();

  /**
   * The session has become an endpoint.
   *
   * @param buffers the delivered buffers that are already in its range
   * @param oneWayBytes how many bytes of the range one-way buffers may take
   */
  record Attached(long command, List<Buffer> buffers, long oneWayBytes) implements Event {}

  /** A staged buffer was allocated for the endpoint. */
  record Allocated(long command, long offset) implements Event {}

  /** A command was carried out. */
  record Accepted(long command, boolean oneWaySpam) implements Event {}

  /** A command was not carried out. */
  record Failed(long command, Throwable why) implements Event {}

  /**
   * A command freed only some of its buffers, or none.
   *
   * @param count how many it did not free
   * @param of how many it was to free
   * @param firstOffset the first of those that it did not free
   * @param why it did not free the first
   */
  record NotFreed(long command, int count, int of, long firstOffset, Throwable why)
      implements Event {}

  /** The reply to a two-way transaction is in a buffer of the asker's range. */
  record Replied(long command, long offset, long size) implements Event {}

  /** Another endpoint sends this one a transaction. */
  record Delivered(Transaction transaction) implements Event {
    @Override
    public long command() {
      return 0;
    }
  }

  /** A delivered transaction has ended, so that its reply is not needed any more. */
  record Ended(long transaction) implements Event {
    @Override
    public long command() {
      return 0;
    }
  }
}
