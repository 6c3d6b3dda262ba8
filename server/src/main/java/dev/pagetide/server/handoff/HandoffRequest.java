package dev.pagetide.server.handoff;

import dev.pagetide.shm.HandoffStatus;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * The bytes that a client has sent on the hand-off socket so far. A request is one token and a
 * newline, and not a byte more. This never takes more memory than a request has bytes.
 */
final class HandoffRequest {
  /** What the bytes so far are. */
  enum State {
    /** They can still become a request. */
    INCOMPLETE,
    /** They are a request. */
    COMPLETE,
    /** They cannot become a request. */
    MALFORMED
  }

  private final byte[] bytes = new byte[HandoffStatus.MAX_TOKEN_BYTES + 1];
  private int count;
  private State state = State.INCOMPLETE;

  /** Adds bytes that have arrived. */
  State add(ByteBuf in) {
    while (in.isReadable() && state != State.MALFORMED) {
      byte next = in.readByte();
      boolean isEnd = next == HandoffStatus.TOKEN_END;
      // A token has graphic ASCII characters and is not empty. No byte follows its end.
      boolean fits =
          state == State.INCOMPLETE
              && (isEnd
                  ? count > 0
                  : count < HandoffStatus.MAX_TOKEN_BYTES && next > ' ' && next < 127);
      if (!fits) {
        state = State.MALFORMED;
      } else if (isEnd) {
        state = State.COMPLETE;
      } else {
        bytes[count++] = next;
      }
    }
    return state;
  }

  /** The token of a complete request. */
  String token() {
    return new String(bytes, 0, count, StandardCharsets.US_ASCII);
  }
}
