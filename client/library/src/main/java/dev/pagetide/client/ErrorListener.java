package dev.pagetide.client;

/**
 * Who is told of failures that no caller waits for. Thread-safe.
 *
 * <p>The listener is the application's, and is called where transactions and answers are delivered:
 * what it throws must stop neither.
 */
final class ErrorListener {

  private final Thread.UncaughtExceptionHandler listener;

  ErrorListener(Thread.UncaughtExceptionHandler listener) {
    this.listener = listener;
  }

  /**
   * Tells of {@code failure}, and never throws: what the listener throws goes where Java's uncaught
   * exceptions go, with {@code failure} as its suppressed one.
   */
  void tell(Throwable failure) {
    Thread thread = Thread.currentThread();
    try {
      listener.uncaughtException(thread, failure);
    } catch (Throwable thrown) {
      try {
        RuntimeException told = new IllegalStateException("the listener for errors failed", thrown);
        told.addSuppressed(failure);
        ReceiverOptions.uncaught(thread, told);
      } catch (Throwable _) {
        // Java ignores what a handler of uncaught exceptions throws, too: nobody else can be told.
      }
    }
  }
}
