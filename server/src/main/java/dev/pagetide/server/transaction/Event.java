package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import java.util.List;

/** What an endpoint is told: an answer to one of its commands, or news. */
public sealed interface Event {
  /** The number of the command that this answers; 0: it answers none. */
  long command();

  /**
   * The session is an endpoint now.
   *
   * @param buffers those that live in its range already
   * @param oneWayBytes how much of the range one-way buffers may take
   */
  record Attached(long command, List<Buffer> buffers, long oneWayBytes) implements Event {}

  /** A staged buffer is the endpoint's. */
  record Allocated(long command, long offset) implements Event {}

  /** A command was carried out. */
  record Accepted(long command, boolean oneWaySpam) implements Event {}

  /** A command was not carried out. */
  record Failed(long command, Throwable why) implements Event {}

  /** The reply to a two-way transaction lies in a buffer of the asker. */
  record Replied(long command, long offset, long size) implements Event {}

  /** Somebody transacts to the endpoint. */
  record Delivered(Transaction transaction) implements Event {
    @Override
    public long command() {
      return 0;
    }
  }

  /** Nobody waits for a reply to a delivered transaction any more. */
  record Ended(long transaction) implements Event {
    @Override
    public long command() {
      return 0;
    }
  }
}
