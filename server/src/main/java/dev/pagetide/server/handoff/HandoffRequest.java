package dev.pagetide.server.handoff;

import dev.pagetide.shm.HandoffStatus;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * What a client sends on the hand-over socket, as far as it has come: one token and a newline, and
 * never a byte more. Never takes more memory than that.
 */
final class HandoffRequest {
  /** What the bytes are so far. */
  enum State {
    /** They can still become a request. */
    INCOMPLETE,
    /** They are one. */
    COMPLETE,
    /** They cannot become one. */
    MALFORMED
  }

  private final byte[] bytes = new byte[HandoffStatus.MAX_TOKEN_BYTES + 1];
  private int count;
  private State state = State.INCOMPLETE;

  /** Takes what has come in. */
  State add(ByteBuf in) {
    while (in.isReadable() && state != State.MALFORMED) {
      byte next = in.readByte();
      boolean isEnd = next == HandoffStatus.TOKEN_END;
      // Graphic ASCII characters; the token is not empty, and nothing comes after its end.
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
