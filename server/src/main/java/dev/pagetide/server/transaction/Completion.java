package dev.pagetide.server.transaction;

/**
 * The end of one command: its endpoint gets the answer, if one is due, and then the next command
 * may begin.
 *
 * <p>A command calls one of the methods as its last step, after it has released what it held. If
 * that throws, the next command has begun nevertheless, and the command may report the failure
 * here. It is the command's answer only if there is none yet. It must not start yet another
 * command; so only the first run of {@code next} counts.
 *
 * <p>One thread after the other calls the methods.
 */
final class Completion {
  private final Endpoint endpoint;
  private final long command;
  private final Runnable next;

  /** Whether the command has its answer, or gets it elsewhere. */
  private boolean over;

  /**
   * The end of a command that has not begun.
   *
   * @param command its number; 0: its success is not reported
   * @param next lets the next command begin; its second call does nothing
   */
  Completion(Endpoint endpoint, long command, Runnable next) {
    this.endpoint = endpoint;
    this.command = command;
    this.next = next;
  }

  /** The command's number. */
  long command() {
    return command;
  }

  /** The command failed. */
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

  /** The command is answered by this event. */
  void answered(Event answer) {
    if (over) {
      return;
    }
    try {
      endpoint.answer(answer);
      over = true;
    } finally {
      next.run();
    }
  }

  /** The command gets no answer here: the end of its transaction answers it later. */
  void unanswered() {
    if (!over) {
      over = true;
      next.run();
    }
  }
}
