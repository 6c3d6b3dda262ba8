package dev.pagetide.server.os;

import java.io.IOException;
import java.util.Optional;

/** A system call that the kernel refused: its name, its arguments, and the error. */
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

  /**
   * Whether a retry can succeed only after a restart of the server, because its limits are fixed at
   * its start.
   */
  public boolean isForGood() {
    return errno == Errno.EFBIG;
  }

  /**
   * How to raise the limit on files that was reached; empty if the failure has another reason, such
   * as memory.
   */
  public Optional<String> limitRemedy() {
    return switch (errno) {
      case Errno.EFBIG ->
          Optional.of(
              "the server may not make files so large (RLIMIT_FSIZE); start it with a larger ulimit"
                  + " -f, or ask for a smaller range");
      case Errno.EMFILE ->
          Optional.of(
              "the server has as many files open as it may (RLIMIT_NOFILE); close some sessions, or"
                  + " start it with a larger ulimit -n");
      case Errno.ENFILE ->
          Optional.of(
              "this host has as many files open as it may; raise fs.file-max (sysctl -w"
                  + " fs.file-max=N)");
      default -> Optional.empty();
    };
  }

  /** The error number's name, such as {@code ENOSPC}. */
  public String errnoName() {
    return Errno.name(errno);
  }
}
