package dev.pagetide.server.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Locale;

/**
 * The C library's file calls, bound once.
 *
 * <p>Every method keeps its C name, takes C's arguments, and throws a {@link SystemCallException}
 * if C returns -1. If a signal interrupts a call, this class makes the call again. No other class
 * does.
 *
 * <p>Thread-safe: each thread captures errno in memory of its own.
 */
@SuppressWarnings("restricted")
final class Libc {
  static final int MFD_CLOEXEC = 0x1;
  static final int MFD_ALLOW_SEALING = 0x2;

  /** Linux 6.3 and newer know it; older kernels refuse it with EINVAL. */
  static final int MFD_NOEXEC_SEAL = 0x8;

  static final int O_RDONLY = 0x0;
  static final int O_RDWR = 0x2;
  static final int O_NONBLOCK = 0x800;
  static final int O_CLOEXEC = 0x80000;
  static final int F_ADD_SEALS = 1033;
  static final int F_SEAL_SEAL = 0x1;
  static final int F_SEAL_SHRINK = 0x2;
  static final int F_SEAL_GROW = 0x4;
  static final int FALLOC_FL_KEEP_SIZE = 0x1;
  static final int FALLOC_FL_PUNCH_HOLE = 0x2;
  static final int PROT_READ = 0x1;
  static final int PROT_WRITE = 0x2;
  static final int MAP_SHARED = 0x1;
  static final int EFD_NONBLOCK = O_NONBLOCK;
  static final int EFD_CLOEXEC = O_CLOEXEC;
  static final short POLLIN = 0x1;
  static final short POLLPRI = 0x2;
  static final short POLLERR = 0x8;

  /** Bytes of {@code struct pollfd}: descriptor (4), requested events (2), returned events (2). */
  static final long POLLFD_BYTES = 8;

  static final long POLLFD_EVENTS_OFFSET = 4;
  static final long POLLFD_REVENTS_OFFSET = 6;

  /** The larger size of {@code struct stat}, in bytes: x86-64 has 144, aarch64 has 128. */
  static final long STAT_BYTES = 144;

  /** Offset of {@code st_blocks}, in units of 512 bytes: the same on both architectures. */
  static final long ST_BLOCKS_OFFSET = 64;

  private static final int SC_PAGESIZE = 30;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");
  private static final VarHandle ERRNO =
      Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));

  private static final ThreadLocal<MemorySegment> CAPTURED =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

  private static final MethodHandle MEMFD_CREATE =
      bind("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle OPEN =
      LINKER.downcallHandle(
          symbol("open"),
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
          CAPTURE_ERRNO,
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle FTRUNCATE = bind("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle FALLOCATE =
      bind("fallocate", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle FCNTL =
      LINKER.downcallHandle(
          symbol("fcntl"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
          CAPTURE_ERRNO,
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle FSTAT = bind("fstat", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle PREAD =
      bind("pread", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle WRITE = bind("write", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle POLL = bind("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle EVENTFD = bind("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle MMAP =
      bind("mmap", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP = bind("munmap", JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle CLOSE = bind("close", JAVA_INT, JAVA_INT);
  private static final MethodHandle SYSCONF = bind("sysconf", JAVA_LONG, JAVA_INT);

  private Libc() {}

  static int memfd_create(String name, int flags) throws SystemCallException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment cName = arena.allocateFrom(name);
      return (int)
          call(
              () -> (int) MEMFD_CREATE.invokeExact(CAPTURED.get(), cName, flags),
              "memfd_create(%s, %#x)",
              name,
              flags);
    }
  }

  /** Opens a file that exists. */
  static int open(String path, int flags) throws SystemCallException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment cPath = arena.allocateFrom(path);
      return (int)
          call(
              () -> (int) OPEN.invokeExact(CAPTURED.get(), cPath, flags),
              "open(%s, %#x)",
              path,
              flags);
    }
  }

  static void ftruncate(int fd, long length) throws SystemCallException {
    call(
        () -> (int) FTRUNCATE.invokeExact(CAPTURED.get(), fd, length),
        "ftruncate(%d, %d)",
        fd,
        length);
  }

  static void fallocate(int fd, int mode, long offset, long length) throws SystemCallException {
    call(
        () -> (int) FALLOCATE.invokeExact(CAPTURED.get(), fd, mode, offset, length),
        "fallocate(%d, %#x, %d, %d)",
        fd,
        mode,
        offset,
        length);
  }

  static int fcntl(int fd, int command, int argument) throws SystemCallException {
    return (int)
        call(
            () -> (int) FCNTL.invokeExact(CAPTURED.get(), fd, command, argument),
            "fcntl(%d, %d, %#x)",
            fd,
            command,
            argument);
  }

  static void fstat(int fd, MemorySegment stat) throws SystemCallException {
    call(() -> (int) FSTAT.invokeExact(CAPTURED.get(), fd, stat), "fstat(%d)", fd);
  }

  static long pread(int fd, MemorySegment buffer, long count, long offset)
      throws SystemCallException {
    return call(
        () -> (long) PREAD.invokeExact(CAPTURED.get(), fd, buffer, count, offset),
        "pread(%d, %d bytes, %d)",
        fd,
        count,
        offset);
  }

  static long write(int fd, MemorySegment buffer, long count) throws SystemCallException {
    return call(
        () -> (long) WRITE.invokeExact(CAPTURED.get(), fd, buffer, count),
        "write(%d, %d bytes)",
        fd,
        count);
  }

  /**
   * Waits for events of {@code count} structs at {@code pollFds}. A signal restarts the time.
   *
   * @return how many of them have events; 0 if the time was up first
   */
  static int poll(MemorySegment pollFds, long count, int timeoutMillis) throws SystemCallException {
    return (int)
        call(
            () -> (int) POLL.invokeExact(CAPTURED.get(), pollFds, count, timeoutMillis),
            "poll(%d descriptors, %d)",
            count,
            timeoutMillis);
  }

  static int eventfd(int initial, int flags) throws SystemCallException {
    return (int)
        call(
            () -> (int) EVENTFD.invokeExact(CAPTURED.get(), initial, flags),
            "eventfd(%d, %#x)",
            initial,
            flags);
  }

  /** Maps a file shared, readable and writable, and returns its address. */
  static long mmap(int fd, long length, long offset) throws SystemCallException {
    int protection = PROT_READ | PROT_WRITE;
    return call(
        () ->
            (long)
                MMAP.invokeExact(
                    CAPTURED.get(), MemorySegment.NULL, length, protection, MAP_SHARED, fd, offset),
        "mmap(%d bytes, %d, %d)",
        length,
        fd,
        offset);
  }

  static void munmap(MemorySegment mapping, long length) throws SystemCallException {
    call(
        () -> (int) MUNMAP.invokeExact(CAPTURED.get(), mapping, length),
        "munmap(%d bytes)",
        length);
  }

  /** Closes a descriptor. After EINTR it is not called again, because Linux has closed it then. */
  static void close(int fd) throws SystemCallException {
    int result;
    try {
      result = (int) CLOSE.invokeExact(CAPTURED.get(), fd);
    } catch (Throwable t) {
      throw new AssertionError("a downcall threw", t);
    }
    if (result == -1 && errno() != Errno.EINTR) {
      throw new SystemCallException("close(" + fd + ")", errno());
    }
  }

  /** Bytes in a page of this system. */
  static int pageSize() {
    try {
      return Math.toIntExact((long) SYSCONF.invokeExact(CAPTURED.get(), SC_PAGESIZE));
    } catch (Throwable t) {
      throw new AssertionError("sysconf(_SC_PAGESIZE) failed", t);
    }
  }

  @FunctionalInterface
  private interface Downcall {
    long make() throws Throwable;
  }

  @SuppressWarnings("AnnotateFormatMethod") // the formats are the constants above
  private static long call(Downcall downcall, String format, Object... arguments)
      throws SystemCallException {
    while (true) {
      long result;
      try {
        result = downcall.make();
      } catch (Throwable t) {
        throw new AssertionError("a downcall threw", t);
      }
      if (result != -1) {
        return result;
      }
      int errno = errno();
      if (errno != Errno.EINTR) {
        throw new SystemCallException(String.format(Locale.ROOT, format, arguments), errno);
      }
    }
  }

  private static int errno() {
    return (int) ERRNO.get(CAPTURED.get(), 0L);
  }

  private static MethodHandle bind(String name, MemoryLayout result, MemoryLayout... arguments) {
    // SAFETY: the descriptors above are those of the C prototypes on LP64 Linux.
    return LINKER.downcallHandle(
        symbol(name), FunctionDescriptor.of(result, arguments), CAPTURE_ERRNO);
  }

  private static MemorySegment symbol(String name) {
    return LINKER
        .defaultLookup()
        .find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
  }
}
