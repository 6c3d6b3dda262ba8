package dev.pagetide.client.cli;

/** A command that could not be done, in one sentence for the person who gave it. */
public final class CommandFailure extends RuntimeException {

  private static final long serialVersionUID = 1;

  /** A failure that {@code sentence} explains. */
  public CommandFailure(String sentence) {
    super(sentence);
  }

  /** A failure that {@code sentence} explains and {@code cause} brought about. */
  public CommandFailure(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
