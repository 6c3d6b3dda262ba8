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

  /**
   * Opens after all that is allocated here: no error can come between a descriptor and its owner.
   */
  private FileDuplicate(int fd) throws SystemCallException {
    this.number = Libc.open("/proc/self/fd/" + fd, Libc.O_RDWR | Libc.O_CLOEXEC);
  }

  /**
   * Opens a descriptor's file once more; it must stay open during the call.
   *
   * <p>No dup: that would share the open file, and its flags with it. Whoever was passed one could
   * set O_APPEND, and our writes to its file would go to the end, where the seals refuse them.
   */
  static FileDuplicate of(int fd) throws SystemCallException {
    return new FileDuplicate(fd);
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
