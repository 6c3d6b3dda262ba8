package dev.pagetide.client;

import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A call that did not succeed, with what the server or the connection said about it.
 *
 * <p>{@link #code} is the kind of failure, as gRPC names it, and {@link #reason} is the contract's
 * reason if the server gave one. {@link #outcomeUnknown} distinguishes a refusal, after which
 * nothing has changed, from a missing answer, after which the server may have done the call. A
 * deadline, a cancellation or a lost connection leaves the call without an answer. A refusal of the
 * server has no cause, because its message and reason say everything.
 */
public final class PagetideException extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final StatusCode code;
  private final @Nullable ErrorReason reason;
  private final @Nullable Duration retryDelay;
  private final boolean outcomeUnknown;
  private final long completedBytes;

  PagetideException(
      StatusCode code,
      @Nullable ErrorReason reason,
      String message,
      @Nullable Duration retryDelay,
      boolean outcomeUnknown,
      long completedBytes,
      @Nullable Throwable cause) {
    super(message, cause);
    this.code = code;
    this.reason = reason;
    this.retryDelay = retryDelay;
    this.outcomeUnknown = outcomeUnknown;
    this.completedBytes = completedBytes;
  }

  /** A failure that this side found before it asked the server anything. */
  static PagetideException local(StatusCode code, String message) {
    return local(code, message, null);
  }

  /** As {@link #local(StatusCode, String)}, with what brought it about. */
  static PagetideException local(StatusCode code, String message, @Nullable Throwable cause) {
    return new PagetideException(code, null, message, null, false, 0, cause);
  }

  /**
   * The same failure with the stack of the thread that waited for it. The stack of the thread that
   * delivered it tells nothing, so it is left out, and the trace has the message once.
   */
  PagetideException rethrown() {
    return new PagetideException(
        code, reason, text(), retryDelay, outcomeUnknown, completedBytes, getCause());
  }

  /** The same failure, for a call that the server may or may not have done. */
  PagetideException withUnknownOutcome() {
    return new PagetideException(
        code, reason, text(), retryDelay, true, completedBytes, getCause());
  }

  /** The same failure, for a transfer that had moved {@code bytes} bytes before. */
  PagetideException afterBytes(long bytes, long ofBytes) {
    if (bytes == 0) {
      return this;
    }
    String message = text() + " (after " + bytes + " of " + ofBytes + " bytes)";
    return new PagetideException(
        code, reason, message, retryDelay, outcomeUnknown, bytes, getCause());
  }

  private String text() {
    String message = getMessage();
    return message == null ? code.toString() : message;
  }

  /** How the call ended, as gRPC classifies ends. */
  public StatusCode code() {
    return code;
  }

  /**
   * Why the call failed: the reason that the server named. The library names a reason itself if it
   * refuses a call without asking the server: TOO_MUCH_DATA, TRANSACTION_OVER or SESSION_ENDED.
   * Empty for any other failure that did not come from a Pagetide server.
   */
  public Optional<ErrorReason> reason() {
    return Optional.ofNullable(reason);
  }

  /** After how long the same call may succeed; empty if waiting is not known to help. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }

  /**
   * Whether the server may have done the call nevertheless. False if the server refused it, or if
   * it was never sent.
   */
  public boolean outcomeUnknown() {
    return outcomeUnknown;
  }

  /**
   * How many bytes, from the start, a read or write that was split into several requests has
   * certainly moved before it failed; 0 for every other call.
   */
  public long completedBytes() {
    return completedBytes;
  }
}
