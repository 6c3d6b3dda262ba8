package dev.pagetide.shm;

import java.util.Optional;

/**
 * The byte with which the server answers a token on the hand-off socket. {@code
 * proto/SHARED_FILE.md} describes the exchange.
 */
public enum HandoffStatus {
  /** The descriptor comes next. */
  PASSED(0),

  /** No session has this token, or it is not the caller's. */
  UNKNOWN_SESSION(1),

  /** The client sent something else than one token and the end of a line. */
  MALFORMED(2),

  /** Too many connections wait; try again. */
  BUSY(3),

  /** The token did not arrive in time. */
  TOO_LATE(4),

  /** The server could not duplicate the descriptor; try again. */
  FAILED(5);

  /** The byte that ends a token. */
  public static final byte TOKEN_END = '\n';

  /** The greatest length of a token in bytes, without its end. */
  public static final int MAX_TOKEN_BYTES = 64;

  private final byte code;

  HandoffStatus(int code) {
    this.code = (byte) code;
  }

  /** The byte on the socket. */
  public byte code() {
    return code;
  }

  /** The status that a byte stands for; empty if there is none. */
  public static Optional<HandoffStatus> of(byte code) {
    return code >= 0 && code < values().length ? Optional.of(values()[code]) : Optional.empty();
  }
}
