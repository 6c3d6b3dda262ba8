package dev.pagetide.client;

import java.util.concurrent.Executor;

/**
 * What to ask for when a receiver is opened, and how its handler is called.
 *
 * @param name what senders name it by, of the form of {@link OpenOptions#name}, and not empty
 * @param sizeBytes the size of the range that transactions, and replies to its own, lie in. The
 *     server grants whole pages, at most its {@code --max-range-bytes}, and lets one-way ones take
 *     half of it. Memory is taken for live buffers only
 * @param takesLess whether a smaller range is taken when the server grants one; {@link
 *     Receiver#sizeBytes} says then what was granted. Otherwise opening fails, with both sizes
 * @param executor where the handler is called; {@code Runnable::run} means where events come, for
 *     handlers that never block: {@link ReceivedTransaction#reply} does not wait there
 * @param maxQueued how many transactions may wait for the handler to return, those that the
 *     executor has not begun included, before the others wait; for each command of this receiver
 *     that is not answered yet it is one more. The others wait at the server; while somebody waits
 *     for a reply of this receiver, they come here to wait, or what {@link
 *     ReceivedTransaction#over} tells would wait behind them
 * @param errors told of what fails where nobody waits for it: a handler of a one-way transaction, a
 *     free. Not of what fails only because the receiver has ended: {@link Receiver#ended} tells
 *     that. What it throws stops nothing, and goes where Java's uncaught exceptions go
 */
public record ReceiverOptions(
    String name,
    long sizeBytes,
    boolean takesLess,
    Executor executor,
    int maxQueued,
    Thread.UncaughtExceptionHandler errors) {

  static final long DEFAULT_SIZE_BYTES = 4L << 20;

  /** Enough to keep every handler of a usual machine busy. */
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
   * 4 MiB, or less if the server grants less, under that name; each call of the handler on a
   * virtual thread of its own, 64 at a time; errors go where Java's uncaught ones go.
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

  /** As if the thread had not caught it. */
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
