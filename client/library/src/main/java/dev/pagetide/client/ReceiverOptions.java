package dev.pagetide.client;

import java.util.concurrent.Executor;

/**
 * What to ask for when a receiver is opened, and how its handler is called.
 *
 * @param name the name by which senders reach it, of the form of {@link OpenOptions#name}; not
 *     empty
 * @param sizeBytes the size of the range that holds transactions, and replies to its own ones. The
 *     server grants whole pages, at most its {@code --max-range-bytes}, and lets one-way
 *     transactions take half of the range. Only live buffers take memory
 * @param takesLess whether to accept a smaller range if the server grants less; then {@link
 *     Receiver#sizeBytes} is the size that it granted. If false, opening fails, and the message has
 *     both sizes
 * @param executor calls the handler. {@code Runnable::run} means the thread that delivers answers.
 *     It is for handlers that never block: {@link ReceivedTransaction#reply} does not wait there
 * @param maxQueued how many transactions may wait for the handler to return, including those that
 *     the executor has not begun. For each command of this receiver that is not answered yet, the
 *     number is one greater. Further transactions wait at the server. But while an asker waits for
 *     a reply of this receiver, they wait here instead, because otherwise the message that {@link
 *     ReceivedTransaction#over} reports would wait behind them
 * @param errors is notified of failures for which no caller waits: those of a handler of a one-way
 *     transaction, and of a free. It is not notified of a failure that happens only because the
 *     receiver has ended; {@link Receiver#ended} tells that. If it throws, nothing stops, and the
 *     exception goes where Java's uncaught exceptions go
 */
public record ReceiverOptions(
    String name,
    long sizeBytes,
    boolean takesLess,
    Executor executor,
    int maxQueued,
    Thread.UncaughtExceptionHandler errors) {

  static final long DEFAULT_SIZE_BYTES = 4L << 20;

  /** Enough to keep all processors of a usual machine busy with handlers. */
  static final int DEFAULT_MAX_QUEUED = 64;

  /**
   * Checks the name, the size and the bound.
   *
   * @throws IllegalArgumentException if the name is empty, the size negative, or the bound below 1
   */
  public ReceiverOptions {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("a receiver needs a name that senders can name it by");
    }
    if (sizeBytes < 0) {
      throw new IllegalArgumentException("sizeBytes=" + sizeBytes + " is negative");
    }
    if (maxQueued < 1) {
      throw new IllegalArgumentException("maxQueued=" + maxQueued + " is less than 1");
    }
  }

  /**
   * A range of 4 MiB, or less if the server grants less, under that name. Each call of the handler
   * runs on a virtual thread of its own, 64 at a time. Errors go where Java's uncaught exceptions
   * go.
   */
  public static ReceiverOptions named(String name) {
    return new ReceiverOptions(
        name,
        DEFAULT_SIZE_BYTES,
        true,
        Thread::startVirtualThread,
        DEFAULT_MAX_QUEUED,
        ReceiverOptions::uncaught);
  }

  /** Treats the failure as if the thread had not caught it. */
  static void uncaught(Thread thread, Throwable failure) {
    thread.getUncaughtExceptionHandler().uncaughtException(thread, failure);
  }

  /** These options with a range of that size: opening fails if the server grants less. */
  public ReceiverOptions withSizeBytes(long size) {
    return new ReceiverOptions(name, size, false, executor, maxQueued, errors);
  }

  /** These options with a range of that size, or of as much as the server grants. */
  public ReceiverOptions withSizeAtMost(long size) {
    return new ReceiverOptions(name, size, true, executor, maxQueued, errors);
  }

  /** These options with another {@link #executor}. */
  public ReceiverOptions withExecutor(Executor other) {
    return new ReceiverOptions(name, sizeBytes, takesLess, other, maxQueued, errors);
  }

  /** These options with another {@link #maxQueued}. */
  public ReceiverOptions withMaxQueued(int bound) {
    return new ReceiverOptions(name, sizeBytes, takesLess, executor, bound, errors);
  }

  /** These options with another listener for {@link #errors}. */
  public ReceiverOptions withErrors(Thread.UncaughtExceptionHandler listener) {
    return new ReceiverOptions(name, sizeBytes, takesLess, executor, maxQueued, listener);
  }
}
