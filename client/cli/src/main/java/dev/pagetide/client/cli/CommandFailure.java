package dev.pagetide.client.cli;

import java.util.List;

/** A command that failed, with one sentence for the person who gave it. */
public final class CommandFailure extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final transient List<String> details;

  /** A failure that {@code sentence} explains. */
  public CommandFailure(String sentence) {
    super(sentence);
    this.details = List.of();
  }

  /** A failure that {@code sentence} explains and {@code cause} caused. */
  public CommandFailure(String sentence, Throwable cause) {
    this(sentence, List.of(), cause);
  }

  /**
   * A failure that {@code sentence} explains and {@code cause} caused.
   *
   * @param details lines to show below the sentence
   */
  public CommandFailure(String sentence, List<String> details, Throwable cause) {
    super(sentence, cause);
    this.details = List.copyOf(details);
  }

  /** The lines below the sentence; mostly none. */
  List<String> details() {
    return details;
  }
}
