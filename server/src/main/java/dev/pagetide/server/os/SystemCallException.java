package dev.pagetide.server.os;

import java.io.IOException;

/** A system call that the kernel refused: which, with what arguments, and why. */
public final class SystemCallException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String call;
  private final int errno;

  /**
   * A refusal.
   *
   * @param call the call as C writes it, with its arguments: {@code fallocate(7, 0, 4096, 8192)}
   * @param errno the error number
   */
  public SystemCallException(String call, int errno) {
    super(call + ": " + Errno.name(errno));
    this.call = call;
    this.errno = errno;
  }

  /** The call with its arguments. */
  public String call() {
    return call;
  }

  /** The error number. */
  public int errno() {
    return errno;
  }

  /** The error number's name, such as {@code ENOSPC}. */
  public String errnoName() {
    return Errno.name(errno);
  }
}
