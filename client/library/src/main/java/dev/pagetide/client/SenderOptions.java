package dev.pagetide.client;

import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;

/**
 * What to ask for when a sender is opened.
 *
 * @param name the name that receivers and operators see, of the form of {@link OpenOptions#name};
 *     empty: the sender gets a name of its own when it is opened, {@code sender-PID-RANDOM}
 * @param sizeBytes the size of the range that holds staged buffers and replies. The server grants
 *     whole pages, and at most its {@code --max-range-bytes}. Only live buffers take memory
 * @param takesLess whether to accept a smaller range if the server grants less; then {@link
 *     Sender#sizeBytes} is the size that it granted. If false, opening fails, and the message has
 *     both sizes
 * @param errors is notified of failures for which no caller waits: those of a free
 */
public record SenderOptions(
    String name, long sizeBytes, boolean takesLess, Thread.UncaughtExceptionHandler errors) {

  /**
   * A range of 4 MiB, or less if the server grants less, under a name of its own. Errors go where
   * Java's uncaught exceptions go.
   */
  public static final SenderOptions DEFAULT =
      new SenderOptions("", ReceiverOptions.DEFAULT_SIZE_BYTES, true, ReceiverOptions::uncaught);

  /**
   * Checks the size.
   *
   * @throws IllegalArgumentException if the size is negative
   */
  public SenderOptions {
    if (sizeBytes < 0) {
      throw new IllegalArgumentException("sizeBytes=" + sizeBytes + " is negative");
    }
  }

  /** What to open: the name given, or one that no other sender has. */
  OpenOptions open() {
    String ours =
        name.isEmpty()
            ? "sender-"
                + ProcessHandle.current().pid()
                + "-"
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt())
            : name;
    return new OpenOptions(ours, sizeBytes, takesLess);
  }

  /** These options with another {@link #name}. */
  public SenderOptions withName(String other) {
    return new SenderOptions(other, sizeBytes, takesLess, errors);
  }

  /** These options with a range of that size: opening fails if the server grants less. */
  public SenderOptions withSizeBytes(long size) {
    return new SenderOptions(name, size, false, errors);
  }

  /** These options with a range of that size, or of as much as the server grants. */
  public SenderOptions withSizeAtMost(long size) {
    return new SenderOptions(name, size, true, errors);
  }

  /** These options with another listener for {@link #errors}. */
  public SenderOptions withErrors(Thread.UncaughtExceptionHandler listener) {
    return new SenderOptions(name, sizeBytes, takesLess, listener);
  }
}
