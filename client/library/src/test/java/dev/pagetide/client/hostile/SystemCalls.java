package dev.pagetide.client.hostile;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The system calls that a client in C could make, with nothing between it and the kernel. Each
 * answers what the kernel does: a number, or minus its errno.
 */
@SuppressWarnings("restricted")
final class SystemCalls {
  static final int F_SETFL = 4;
  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_SEAL_SHRINK = 0x2;
  static final int F_SEAL_WRITE = 0x8;
  static final int F_SEAL_FUTURE_WRITE = 0x10;
  static final int O_RDWR = 2;
  static final int O_APPEND = 0x400;
  static final int FALLOC_KEEP_SIZE = 0x1;
  static final int FALLOC_PUNCH_HOLE = 0x2;
  static final int MADV_COLLAPSE = 25;
  static final int SIGCONT = 18;
  static final int SIGSTOP = 19;
  static final int EPERM = 1;
  static final int EINTR = 4;
  static final int EACCES = 13;
  static final int EINVAL = 22;

  private static final int O_PATH_CLOEXEC = 0x28_0000;
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM_CLOEXEC = 0x80001;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x4000_0000;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_SHARED = 1;
  private static final int STAT_BYTES = 144;
  private static final int ST_INO_AT = 8;
  private static final int ST_SIZE_AT = 48;
  private static final int ST_BLOCKS_AT = 64;
  private static final int SOCKADDR_BYTES = 110;

  /** Bytes of struct msghdr, and of a control message with one descriptor; LP64. */
  private static final int MSGHDR_BYTES = 56;

  private static final int CMSG_LEN = 20;
  private static final int CMSG_SPACE = 24;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");
  private static final VarHandle ERRNO =
      Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final ThreadLocal<MemorySegment> CAPTURED =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

  private static final MethodHandle SOCKET = bind("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle CONNECT =
      bind("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle BIND = bind("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle LISTEN = bind("listen", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle ACCEPT = bind("accept", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
  private static final MethodHandle SHUTDOWN = bind("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle SEND =
      bind("send", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle RECV =
      bind("recv", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle SENDMSG =
      bind("sendmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle RECVMSG =
      bind("recvmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle CLOSE = bind("close", JAVA_INT, JAVA_INT);
  private static final MethodHandle FTRUNCATE = bind("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle FALLOCATE =
      bind("fallocate", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle FCNTL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("fcntl"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
          CAPTURE_ERRNO,
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle OPEN =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("open"),
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
          CAPTURE_ERRNO,
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle KILL = bind("kill", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle FSTAT = bind("fstat", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle PWRITE =
      bind("pwrite", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle MMAP =
      bind("mmap", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MADVISE =
      bind("madvise", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);

  private SystemCalls() {}

  /** A socket connected to {@code path}. */
  static int connect(Path path) {
    int socket = socket();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = address(arena, path);
      int result =
          (int)
              call(
                  () -> (int) CONNECT.invokeExact(CAPTURED.get(), socket, address, SOCKADDR_BYTES));
      if (result < 0) {
        close(socket);
        return result;
      }
      return socket;
    }
  }

  /** A socket that listens on {@code path}. */
  static int listen(Path path) {
    int socket = socket();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = address(arena, path);
      check(call(() -> (int) BIND.invokeExact(CAPTURED.get(), socket, address, SOCKADDR_BYTES)));
      check(call(() -> (int) LISTEN.invokeExact(CAPTURED.get(), socket, 16)));
      return socket;
    }
  }

  private static int socket() {
    return (int)
        check(
            call(() -> (int) SOCKET.invokeExact(CAPTURED.get(), AF_UNIX, SOCK_STREAM_CLOEXEC, 0)));
  }

  private static MemorySegment address(Arena arena, Path path) {
    MemorySegment address = arena.allocate(SOCKADDR_BYTES, 2);
    address.set(JAVA_SHORT, 0, (short) AF_UNIX);
    byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(bytes, 0, address, JAVA_BYTE, 2, bytes.length);
    return address;
  }

  static int accept(int listener) {
    return (int)
        call(() ->
            (int)
                ACCEPT.invokeExact(
                    CAPTURED.get(), listener, MemorySegment.NULL, MemorySegment.NULL));
  }

  /** Ends both directions: whoever waits in {@link #accept} or for bytes is woken. */
  static void shutdown(int socket) {
    long _ = call(() -> (int) SHUTDOWN.invokeExact(CAPTURED.get(), socket, 2));
  }

  static int send(int socket, String text) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes =
          arena.allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.ISO_8859_1));
      return (int)
          call(() ->
              (long)
                  SEND.invokeExact(CAPTURED.get(), socket, bytes, bytes.byteSize(), MSG_NOSIGNAL));
    }
  }

  /** Reads up to so many bytes; the empty text is the end. */
  static String receive(int socket, int most) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(most);
      long read =
          call(() -> (long) RECV.invokeExact(CAPTURED.get(), socket, bytes, (long) most, 0));
      return read <= 0
          ? ""
          : new String(bytes.asSlice(0, read).toArray(JAVA_BYTE), StandardCharsets.ISO_8859_1);
    }
  }

  /** Receives one message of one byte; its descriptor, or -1 if it brings none. */
  static int receiveDescriptor(int socket) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment control = arena.allocate(CMSG_SPACE, Long.BYTES);
      MemorySegment message = message(arena, control);
      long read =
          call(() -> (long) RECVMSG.invokeExact(CAPTURED.get(), socket, message, MSG_CMSG_CLOEXEC));
      boolean hasOne =
          read == 1
              && message.get(JAVA_LONG, 40) >= CMSG_LEN
              && control.get(JAVA_INT, 12) == SCM_RIGHTS;
      return hasOne ? control.get(JAVA_INT, 16) : -1;
    }
  }

  static int sendDescriptor(int socket, int descriptor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment control = arena.allocate(CMSG_SPACE, Long.BYTES);
      control.set(JAVA_LONG, 0, CMSG_LEN);
      control.set(JAVA_INT, 8, SOL_SOCKET);
      control.set(JAVA_INT, 12, SCM_RIGHTS);
      control.set(JAVA_INT, 16, descriptor);
      MemorySegment message = message(arena, control);
      return (int)
          call(() -> (long) SENDMSG.invokeExact(CAPTURED.get(), socket, message, MSG_NOSIGNAL));
    }
  }

  private static MemorySegment message(Arena arena, MemorySegment control) {
    MemorySegment vector = arena.allocate(16, Long.BYTES);
    vector.set(ADDRESS, 0, arena.allocate(1));
    vector.set(JAVA_LONG, 8, 1);
    MemorySegment message = arena.allocate(MSGHDR_BYTES, Long.BYTES);
    message.set(ADDRESS, 16, vector);
    message.set(JAVA_LONG, 24, 1);
    message.set(ADDRESS, 32, control);
    message.set(JAVA_LONG, 40, control.byteSize());
    return message;
  }

  static void close(int descriptor) {
    long _ = call(() -> (int) CLOSE.invokeExact(CAPTURED.get(), descriptor));
  }

  static int ftruncate(int descriptor, long length) {
    return (int) call(() -> (int) FTRUNCATE.invokeExact(CAPTURED.get(), descriptor, length));
  }

  static int fallocate(int descriptor, int mode, long offset, long length) {
    return (int)
        call(() -> (int) FALLOCATE.invokeExact(CAPTURED.get(), descriptor, mode, offset, length));
  }

  static int fcntl(int descriptor, int command, int argument) {
    return (int) call(() -> (int) FCNTL.invokeExact(CAPTURED.get(), descriptor, command, argument));
  }

  static int pwrite(int descriptor, byte[] bytes, long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(JAVA_BYTE, bytes);
      return (int)
          call(() ->
              (long) PWRITE.invokeExact(CAPTURED.get(), descriptor, data, data.byteSize(), offset));
    }
  }

  /** Opens a file for looking at it alone: nothing of it can be read or written. */
  static int openPath(Path path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path.toString());
      return (int) call(() -> (int) OPEN.invokeExact(CAPTURED.get(), name, O_PATH_CLOEXEC));
    }
  }

  /** Sends a signal to a process. */
  static int kill(long pid, int signal) {
    int process = Math.toIntExact(pid);
    return (int) call(() -> (int) KILL.invokeExact(CAPTURED.get(), process, signal));
  }

  /** What tells one file from another, however often it is open. */
  static long inode(int descriptor) {
    return stat(descriptor, ST_INO_AT);
  }

  static long sizeBytes(int descriptor) {
    return stat(descriptor, ST_SIZE_AT);
  }

  /** The memory that the kernel says the file holds. */
  static long residentBytes(int descriptor) {
    return stat(descriptor, ST_BLOCKS_AT) * 512;
  }

  private static long stat(int descriptor, int field) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = arena.allocate(STAT_BYTES, Long.BYTES);
      check(call(() -> (int) FSTAT.invokeExact(CAPTURED.get(), descriptor, stat)));
      return stat.get(JAVA_LONG, field);
    }
  }

  /** Maps a file shared, readable and writable, for as long as this process lives. */
  static MemorySegment map(int descriptor, long length) {
    long address =
        check(
            call(() ->
                (long)
                    MMAP.invokeExact(
                        CAPTURED.get(),
                        MemorySegment.NULL,
                        length,
                        PROT_READ_WRITE,
                        MAP_SHARED,
                        descriptor,
                        0L)));
    return MemorySegment.ofAddress(address).reinterpret(length);
  }

  static int madvise(MemorySegment mapping, int advice) {
    return (int)
        call(() -> (int) MADVISE.invokeExact(CAPTURED.get(), mapping, mapping.byteSize(), advice));
  }

  /** What a call answered that must succeed. */
  static long check(long result) {
    if (result < 0) {
      throw new AssertionError("errno " + -result);
    }
    return result;
  }

  @FunctionalInterface
  private interface Downcall {
    long make() throws Throwable;
  }

  private static long call(Downcall downcall) {
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
      int errno = (int) ERRNO.get(CAPTURED.get(), 0L);
      if (errno != EINTR) {
        return -errno;
      }
    }
  }

  private static MethodHandle bind(String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(result, arguments),
        CAPTURE_ERRNO);
  }
}
