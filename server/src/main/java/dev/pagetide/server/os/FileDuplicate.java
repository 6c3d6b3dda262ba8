package dev.pagetide.server.os;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A second descriptor of a shared file, for passing to another process. Its number stands for this
 * file until it is closed, even if the range ends meanwhile.
 *
 * <p>Child processes do not inherit it. Thread-safe. Only the first {@link #close} does anything,
 * so a later one cannot close a number that the kernel has given to another file since.
 */
public final class FileDuplicate implements AutoCloseable {
  private final int number;
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Opens the file last, after every allocation here, so that no error can lose the descriptor. */
  private FileDuplicate(int fd) throws SystemCallException {
    this.number = Libc.open("/proc/self/fd/" + fd, Libc.O_RDWR | Libc.O_CLOEXEC);
  }

  /**
   * Opens a descriptor's file once more. The descriptor must stay open during the call.
   *
   * <p>This does not call dup, because a dup would share the open file description, and so its
   * flags. A process that got such a descriptor could set O_APPEND. Then our writes to its file
   * would go to the end, and the seals would refuse them there.
   */
  static FileDuplicate of(int fd) throws SystemCallException {
    return new FileDuplicate(fd);
  }

  /** The descriptor's number. The caller must not let this be closed while it uses the number. */
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
