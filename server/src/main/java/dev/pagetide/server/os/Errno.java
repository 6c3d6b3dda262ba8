package dev.pagetide.server.os;

import java.util.Map;

/** The names of the error numbers of the calls in {@link Libc}, on Linux. */
final class Errno {
  static final int EINTR = 4;
  static final int EFAULT = 14;
  static final int EINVAL = 22;
  static final int ENFILE = 23;
  static final int EMFILE = 24;
  static final int EFBIG = 27;

  /** x86-64 and aarch64 agree on these. */
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(1, "EPERM"),
          Map.entry(2, "ENOENT"),
          Map.entry(EINTR, "EINTR"),
          Map.entry(5, "EIO"),
          Map.entry(9, "EBADF"),
          Map.entry(11, "EAGAIN"),
          Map.entry(12, "ENOMEM"),
          Map.entry(13, "EACCES"),
          Map.entry(EFAULT, "EFAULT"),
          Map.entry(16, "EBUSY"),
          Map.entry(19, "ENODEV"),
          Map.entry(EINVAL, "EINVAL"),
          Map.entry(ENFILE, "ENFILE"),
          Map.entry(EMFILE, "EMFILE"),
          Map.entry(26, "ETXTBSY"),
          Map.entry(EFBIG, "EFBIG"),
          Map.entry(28, "ENOSPC"),
          Map.entry(29, "ESPIPE"),
          Map.entry(38, "ENOSYS"),
          Map.entry(75, "EOVERFLOW"),
          Map.entry(95, "EOPNOTSUPP"));

  private Errno() {}

  /** The name of an error number, or the number itself if it has no name here. */
  static String name(int errno) {
    return NAMES.getOrDefault(errno, "errno " + errno);
  }
}
