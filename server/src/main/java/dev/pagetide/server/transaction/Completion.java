package dev.pagetide.server.transaction;

/**
 * How one command ends: its endpoint is answered, where an answer is due, and then the next command
 * may begin.
 *
 * <p>Each command calls one of the methods as its last step: what it held is released by then. The
 * next command begins even where the answer cannot be given, which then throws; a command that
 * answers again after that must not let yet another one begin, so {@code next} counts once.
 */
final class Completion {
  private final Endpoint endpoint;
  private final long command;
  private final Runnable next;

  /**
   * The end of a command that has not begun.
   *
   * @param command its number; 0: nobody is told that it was carried out
   * @param next lets the next command begin; its second call does nothing
   */
  Completion(Endpoint endpoint, long command, Runnable next) {
    this.endpoint = endpoint;
    this.command = command;
    this.next = next;
  }

  /** The number of the command. */
  long command() {
    return command;
  }

  /** The command has failed. */
  void failed(Throwable why) {
    answered(new Event.Failed(command, why));
  }

  /** The command was carried out. */
  void accepted(boolean oneWaySpam) {
    if (command == 0) {
      unanswered();
    } else {
      answered(new Event.Accepted(command, oneWaySpam));
    }
  }

  /** The command has this answer. */
  void answered(Event answer) {
    try {
      endpoint.answer(answer);
    } finally {
      next.run();
    }
  }

  /** The end of a transaction answers the command, sooner or later. */
  void unanswered() {
    next.run();
  }
}
