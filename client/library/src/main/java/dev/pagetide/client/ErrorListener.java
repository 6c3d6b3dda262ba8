package dev.pagetide.client;

/**
 * Is notified of failures for which no caller waits. Thread-safe.
 *
 * <p>The listener is the application's. The threads that deliver transactions and answers call it,
 * so what it throws must stop neither.
 */
final class ErrorListener {

  private final Thread.UncaughtExceptionHandler listener;

  ErrorListener(Thread.UncaughtExceptionHandler listener) {
    this.listener = listener;
  }

  /**
   * Notifies the listener of {@code failure}, and never throws. If the listener throws, its
   * exception goes where Java's uncaught exceptions go, with {@code failure} suppressed in it.
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
        // Java itself ignores what a handler of uncaught exceptions throws. There is no one else to
        // notify.
      }
    }
  }
}
