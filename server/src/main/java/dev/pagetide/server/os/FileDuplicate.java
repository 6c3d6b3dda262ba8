package dev.pagetide.server.os;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A descriptor of a shared file beside the range's own, to be passed on: its number means this file
 * until it is closed, whatever becomes of the range meanwhile.
 *
 * <p>Not inherited by child processes. Thread-safe; only the first {@link #close} does anything, so
 * none can hit a number that the kernel has given to another file since.
 */
public final class FileDuplicate implements AutoCloseable {
  private final int number;
  private final AtomicBoolean closed = new AtomicBoolean();

  private FileDuplicate(int number) {
    this.number = number;
  }

  /** Duplicates a descriptor, which must stay open during the call. */
  static FileDuplicate of(int fd) throws SystemCallException {
    return new FileDuplicate(Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, 0));
  }

  /** The descriptor's number; whoever uses it sees to it that this is not closed meanwhile. */
  public int number() {
    return number;
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      Libc.close(number);
    } catch (SystemCallException e) {
      throw new AssertionError("somebody else closed a duplicate", e);
    }
  }

  @Override
  public String toString() {
    return "FileDuplicate[" + number + (closed.get() ? ", closed]" : "]");
  }
}
