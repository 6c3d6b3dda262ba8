package dev.pagetide.server.session;

import java.util.Locale;

/**
 * Why a session could not be opened or found. Each failure has a message that says what to do, and
 * no stack trace, because a refusal is an answer and not a fault.
 */
public abstract sealed class SessionFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private SessionFailure(String message) {
    super(message, null, false, false);
  }

  /** There is no such session, or it is not the caller's. The failure does not say which. */
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

  /** The name breaks the rule of {@link SessionName}. */
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

  /** The server is stopping and opens no session any more. */
  public static final class Stopping extends SessionFailure {
    private static final long serialVersionUID = 1L;

    /** For an opening that began before the server was stopping. */
    public Stopping() {
      super("the server is stopping; connect again once it has been started");
    }
  }
}
