package dev.pagetide.testkit;

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
import java.util.OptionalInt;

/**
 * The system calls that a client in C could make, with nothing between it and the kernel. Each
 * answers what the kernel does: a number, or minus its errno.
 */
@SuppressWarnings("restricted")
public final class SystemCalls {
  public static final int F_SETFL = 4;
  public static final int F_ADD_SEALS = 1033;
  public static final int F_GET_SEALS = 1034;
  public static final int F_SEAL_SHRINK = 0x2;
  public static final int F_SEAL_WRITE = 0x8;
  public static final int F_SEAL_FUTURE_WRITE = 0x10;
  public static final int O_RDWR = 2;
  public static final int O_APPEND = 0x400;
  public static final int FALLOC_KEEP_SIZE = 0x1;
  public static final int FALLOC_PUNCH_HOLE = 0x2;
  public static final int MADV_COLLAPSE = 25;
  public static final int SIGCONT = 18;
  public static final int SIGSTOP = 19;
  public static final int EPERM = 1;
  public static final int EINTR = 4;
  public static final int EACCES = 13;
  public static final int EINVAL = 22;
  public static final int EPIPE = 32;
  public static final int ECONNRESET = 104;

  private static final int O_PATH_CLOEXEC = 0x28_0000;
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM_CLOEXEC = 0x80001;
  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVTIMEO = 20;
  private static final int SO_SNDTIMEO = 21;
  private static final int SCM_RIGHTS = 1;
  private static final int SHUT_WR = 1;
  private static final int SHUT_RDWR = 2;
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
  private static final MethodHandle SETSOCKOPT =
      bind("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
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
  public static int connect(Path path) {
    return connect(path, 0);
  }

  /** As {@link #connect(Path)}; each call on it gives up after so many seconds, or never if 0. */
  public static int connect(Path path, long seconds) {
    int socket = socket();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment timeout = arena.allocate(2 * JAVA_LONG.byteSize(), Long.BYTES);
      timeout.set(JAVA_LONG, 0, seconds);
      for (int option : new int[] {SO_RCVTIMEO, SO_SNDTIMEO}) {
        check(
            call(() ->
                (int)
                    SETSOCKOPT.invokeExact(
                        CAPTURED.get(), socket, SOL_SOCKET, option, timeout, 16)));
      }
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
  public static int listen(Path path) {
    int socket = socket();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = address(arena, path);
      check(call(() -> (int) BIND.invokeExact(CAPTURED.get(), socket, address, SOCKADDR_BYTES)));
      check(call(() -> (int) LISTEN.invokeExact(CAPTURED.get(), socket, 16)));
      return socket;
    } catch (Throwable t) {
      close(socket);
      throw t;
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

  public static int accept(int listener) {
    return (int)
        call(() ->
            (int)
                ACCEPT.invokeExact(
                    CAPTURED.get(), listener, MemorySegment.NULL, MemorySegment.NULL));
  }

  /** Ends both directions, and so wakes each thread in {@link #accept} or waiting for bytes. */
  public static void shutdown(int socket) {
    long _ = call(() -> (int) SHUTDOWN.invokeExact(CAPTURED.get(), socket, SHUT_RDWR));
  }

  /** Says that nothing more will be sent. */
  public static void shutdownOutput(int socket) {
    check(call(() -> (int) SHUTDOWN.invokeExact(CAPTURED.get(), socket, SHUT_WR)));
  }

  public static int send(int socket, String text) {
    return send(socket, text.getBytes(StandardCharsets.ISO_8859_1));
  }

  public static int send(int socket, byte[] data) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocateFrom(JAVA_BYTE, data);
      return (int)
          call(() ->
              (long)
                  SEND.invokeExact(CAPTURED.get(), socket, bytes, bytes.byteSize(), MSG_NOSIGNAL));
    }
  }

  /** Reads up to so many bytes; the empty text is the end. */
  public static String receive(int socket, int most) {
    byte[] bytes = new byte[most];
    int read = receive(socket, bytes);
    return read <= 0 ? "" : new String(bytes, 0, read, StandardCharsets.ISO_8859_1);
  }

  /** Reads into an array, without room for control data. */
  public static int receive(int socket, byte[] target) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(target.length);
      int read =
          (int)
              call(() ->
                  (long) RECV.invokeExact(CAPTURED.get(), socket, bytes, (long) target.length, 0));
      if (read > 0) {
        MemorySegment.copy(bytes, JAVA_BYTE, 0, target, 0, read);
      }
      return read;
    }
  }

  /** Receives one message of one byte; its descriptor, or -1 if it brings none. */
  public static int receiveDescriptor(int socket) {
    Received received = receiveMessage(socket, 1);
    return received.read() == 1 ? received.descriptor().orElse(-1) : -1;
  }

  /**
   * One message.
   *
   * @param read the number of its bytes, or minus the errno
   * @param descriptor what it brings with them, if anything
   */
  public record Received(int read, OptionalInt descriptor) {}

  /** Receives one message, of which at most so many bytes are read. */
  public static Received receiveMessage(int socket, int most) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment control = arena.allocate(CMSG_SPACE, Long.BYTES);
      MemorySegment message = message(arena, arena.allocate(most), control);
      int read =
          (int)
              call(() ->
                  (long) RECVMSG.invokeExact(CAPTURED.get(), socket, message, MSG_CMSG_CLOEXEC));
      boolean hasOne =
          read >= 0
              && message.get(JAVA_LONG, 40) >= CMSG_LEN
              && control.get(JAVA_INT, 12) == SCM_RIGHTS;
      return new Received(
          read, hasOne ? OptionalInt.of(control.get(JAVA_INT, 16)) : OptionalInt.empty());
    }
  }

  public static int sendDescriptor(int socket, int descriptor) {
    return sendDescriptor(socket, "\0", descriptor);
  }

  /** Sends bytes and, with the same message, a descriptor. */
  public static int sendDescriptor(int socket, String text, int descriptor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data =
          arena.allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.ISO_8859_1));
      MemorySegment control = arena.allocate(CMSG_SPACE, Long.BYTES);
      control.set(JAVA_LONG, 0, CMSG_LEN);
      control.set(JAVA_INT, 8, SOL_SOCKET);
      control.set(JAVA_INT, 12, SCM_RIGHTS);
      control.set(JAVA_INT, 16, descriptor);
      MemorySegment message = message(arena, data, control);
      return (int)
          call(() -> (long) SENDMSG.invokeExact(CAPTURED.get(), socket, message, MSG_NOSIGNAL));
    }
  }

  private static MemorySegment message(Arena arena, MemorySegment data, MemorySegment control) {
    MemorySegment vector = arena.allocate(16, Long.BYTES);
    vector.set(ADDRESS, 0, data);
    vector.set(JAVA_LONG, 8, data.byteSize());
    MemorySegment message = arena.allocate(MSGHDR_BYTES, Long.BYTES);
    message.set(ADDRESS, 16, vector);
    message.set(JAVA_LONG, 24, 1);
    message.set(ADDRESS, 32, control);
    message.set(JAVA_LONG, 40, control.byteSize());
    return message;
  }

  public static void close(int descriptor) {
    int _ = tryClose(descriptor);
  }

  /** As {@link #close}, and answers what the kernel does. */
  public static int tryClose(int descriptor) {
    return (int) call(() -> (int) CLOSE.invokeExact(CAPTURED.get(), descriptor));
  }

  public static int ftruncate(int descriptor, long length) {
    return (int) call(() -> (int) FTRUNCATE.invokeExact(CAPTURED.get(), descriptor, length));
  }

  public static int fallocate(int descriptor, int mode, long offset, long length) {
    return (int)
        call(() -> (int) FALLOCATE.invokeExact(CAPTURED.get(), descriptor, mode, offset, length));
  }

  public static int fcntl(int descriptor, int command, int argument) {
    return (int) call(() -> (int) FCNTL.invokeExact(CAPTURED.get(), descriptor, command, argument));
  }

  public static int pwrite(int descriptor, byte[] bytes, long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(JAVA_BYTE, bytes);
      return (int)
          call(() ->
              (long) PWRITE.invokeExact(CAPTURED.get(), descriptor, data, data.byteSize(), offset));
    }
  }

  /** Opens a file for looking at it alone: nothing of it can be read or written. */
  public static int openPath(Path path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path.toString());
      return (int) call(() -> (int) OPEN.invokeExact(CAPTURED.get(), name, O_PATH_CLOEXEC));
    }
  }

  /** Sends a signal to a process. */
  public static int kill(long pid, int signal) {
    int process = Math.toIntExact(pid);
    return (int) call(() -> (int) KILL.invokeExact(CAPTURED.get(), process, signal));
  }

  /** What tells one file from another, however often it is open. */
  public static long inode(int descriptor) {
    return stat(descriptor, ST_INO_AT);
  }

  public static long sizeBytes(int descriptor) {
    return stat(descriptor, ST_SIZE_AT);
  }

  /** The memory that the kernel says the file holds. */
  public static long residentBytes(int descriptor) {
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
  public static MemorySegment map(int descriptor, long length) {
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

  public static int madvise(MemorySegment mapping, int advice) {
    return (int)
        call(() -> (int) MADVISE.invokeExact(CAPTURED.get(), mapping, mapping.byteSize(), advice));
  }

  /** What a call answered that must succeed. */
  public static long check(long result) {
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
