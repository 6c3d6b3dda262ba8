package dev.pagetide.server.session;

import java.util.Locale;

/**
 * Why a session could not be opened or found: a small family, each with a message that says what to
 * do. Bears no stack trace: a refusal is an answer, not an accident.
 */
public abstract sealed class SessionFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private SessionFailure(String message) {
    super(message, null, false, false);
  }

  /** No such session, or not one of the caller's: which of the two is not told. */
  public static final class Unknown extends SessionFailure {
    private static final long serialVersionUID = 1L;

    Unknown() {
      super("no such session; it has ended, or its token is wrong: open a range first");
    }

    Unknown(long rangeId) {
      super(
          String.format(
              Locale.ROOT,
              "no range with range_id=%s; ListRanges tells which there are",
              Long.toUnsignedString(rangeId)));
    }
  }

  /** The name is not a name. */
  public static final class NameInvalid extends SessionFailure {
    private static final long serialVersionUID = 1L;

    NameInvalid(String message) {
      super(message);
    }
  }

  /** A live session of the caller's uid has the name. */
  public static final class NameTaken extends SessionFailure {
    private static final long serialVersionUID = 1L;

    NameTaken() {
      super("another live session of this uid has this name; choose another one, or none");
    }
  }

  /** A limit on sessions is reached. */
  public static final class TooMany extends SessionFailure {
    private static final long serialVersionUID = 1L;

    private final String option;

    TooMany(String option, int limit) {
      super(
          String.format(
              Locale.ROOT,
              "%d sessions are open, as many as %s=%d admits; close some, or raise it",
              limit,
              option,
              limit));
      this.option = option;
    }

    /** The option that sets the limit. */
    public String option() {
      return option;
    }
  }

  /** The server is stopping and opens nothing any more. */
  public static final class Stopping extends SessionFailure {
    private static final long serialVersionUID = 1L;

    /** For an opening that had begun before. */
    public Stopping() {
      super("the server is stopping; connect again once it has been started");
    }
  }
}
