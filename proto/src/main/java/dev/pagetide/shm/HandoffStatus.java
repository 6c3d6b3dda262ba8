package dev.pagetide.shm;

import java.util.Optional;

/**
 * The byte that answers a token on the hand-over socket. The exchange is described in {@code
 * proto/SHARED_FILE.md}.
 */
public enum HandoffStatus {
  /** The descriptor comes next. */
  PASSED(0),

  /** No session has this token, or it is not the caller's. */
  UNKNOWN_SESSION(1),

  /** What was sent is not one token and the end of a line. */
  MALFORMED(2),

  /** Too many connections wait; try again. */
  BUSY(3),

  /** The token did not come in time. */
  TOO_LATE(4),

  /** The server could not duplicate the descriptor; try again. */
  FAILED(5);

  /** What ends a token. */
  public static final byte TOKEN_END = '\n';

  /** The longest token there can be, in bytes, its end not counted. */
  public static final int MAX_TOKEN_BYTES = 64;

  private final byte code;

  HandoffStatus(int code) {
    this.code = (byte) code;
  }

  /** The byte on the socket. */
  public byte code() {
    return code;
  }

  /** The status of a byte; empty if it is none. */
  public static Optional<HandoffStatus> of(byte code) {
    return code >= 0 && code < values().length ? Optional.of(values()[code]) : Optional.empty();
  }
}
