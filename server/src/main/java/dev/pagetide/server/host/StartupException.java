package dev.pagetide.server.host;

import org.jspecify.annotations.Nullable;

/**
 * The reason why a server could not start: a sentence for the operator that says what is wrong and
 * what to do.
 */
public final class StartupException extends Exception {
  private static final long serialVersionUID = 1;

  /** A reason that no other exception caused. */
  public StartupException(String message) {
    super(message);
  }

  /** A reason with the exception that caused it; the message must be complete without that. */
  public StartupException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
