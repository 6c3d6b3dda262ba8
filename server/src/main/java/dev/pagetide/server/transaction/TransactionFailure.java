package dev.pagetide.server.transaction;

import java.util.Locale;

/**
 * Why a transaction, or a command about one, could not be carried out. It has no stack trace,
 * because a refusal is an answer and not a fault.
 */
public abstract sealed class TransactionFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private TransactionFailure(String message) {
    super(message, null, false, false);
  }

  /** There is no such receiver, or it ended before it replied. */
  public static final class TargetDied extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    TargetDied(String target) {
      super(
          String.format(
              Locale.ROOT,
              "no receiver named '%s' is attached: it has ended, or has not begun; start it first",
              target));
    }
  }

  /** The caller's user may not transact to the receiver's, whether or not there is one. */
  public static final class NotPermitted extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    NotPermitted(int uid, int targetUid) {
      super(
          String.format(
              Locale.ROOT,
              "uid %s may not transact to uid %s; the server's --allow-transactions says who may",
              Integer.toUnsignedString(uid),
              Integer.toUnsignedString(targetUid)));
    }
  }

  /** The transaction was replied to, has ended, or was never this endpoint's. */
  public static final class Over extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    Over(long transaction) {
      super(
          String.format(
              Locale.ROOT,
              "transaction=%s is not one to reply to: it was replied to, has ended, or never was"
                  + " yours",
              Long.toUnsignedString(transaction)));
    }
  }

  /** No reply came in time. */
  public static final class TimedOut extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    TimedOut(long timeoutMillis) {
      super(
          String.format(
              Locale.ROOT,
              "no reply within timeout_ms=%d; the receiver has been told that nobody waits any"
                  + " more",
              timeoutMillis));
    }
  }

  /** The asker gave the transaction up. */
  public static final class Cancelled extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    public Cancelled() {
      super("the transaction was cancelled by its asker");
    }
  }

  /** The receiver said that it cannot serve the transaction. */
  public static final class RefusedByReceiver extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    RefusedByReceiver(String refusal) {
      super(refusal);
    }
  }

  /** The endpoint waits for as many replies as it may. */
  public static final class TooMany extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    TooMany(int limit) {
      super(
          String.format(
                  Locale.ROOT,
                  "%d two-way transactions wait for their reply, as many as --max-transactions=%d"
                      + " admits",
                  limit,
                  limit)
              + " an endpoint; wait for some first");
    }
  }

  /** The flags or the id are such as no command may have. */
  public static final class Invalid extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    public Invalid(String message) {
      super(message);
    }
  }

  /** The command is not for a range of this mode. */
  public static final class WrongMode extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    WrongMode(String what) {
      super(
          String.format(
              Locale.ROOT,
              "%s needs a session of mode RANGE_MODE_BUFFERS, and this one has "
                  + "RANGE_MODE_PAGES; open another one",
              what));
    }
  }

  /** The session has an Exchange already. */
  public static final class AlreadyAttached extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    public AlreadyAttached() {
      super("the session has an Exchange already; end that one first");
    }
  }

  /** The server is stopping. */
  public static final class Stopping extends TransactionFailure {
    private static final long serialVersionUID = 1L;

    Stopping() {
      super("the server is stopping; connect again once it has been started");
    }
  }
}
