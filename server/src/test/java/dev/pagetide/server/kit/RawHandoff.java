package dev.pagetide.server.kit;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.pagetide.shm.HandoffStatus;
import java.io.IOException;
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
 * A connection to the hand-over socket as a client in C has it: plain system calls, so that what is
 * tested is the protocol and not a library's view of it. Each call gives up after 30 s.
 */
@SuppressWarnings("restricted")
public final class RawHandoff implements AutoCloseable {
  /** What {@link #readStatus} gives where the connection ended without a byte. */
  public static final int END = -1;

  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM_CLOEXEC = 0x80001;
  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVTIMEO = 20;
  private static final int SO_SNDTIMEO = 21;
  private static final int SCM_RIGHTS = 1;
  private static final int SHUT_WR = 1;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x4000_0000;
  private static final int ECONNRESET = 104;
  private static final int EPIPE = 32;
  private static final long WAIT_SECONDS = 30;

  /** Bytes of struct msghdr, and of a control message with one descriptor; LP64. */
  private static final int MSGHDR_BYTES = 56;

  private static final int CMSG_LEN = 20;
  private static final int CMSG_SPACE = 24;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");
  private static final VarHandle ERRNO =
      Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final MethodHandle SOCKET = bind("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle CONNECT =
      bind("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
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
  private static final MethodHandle SHUTDOWN = bind("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle CLOSE = bind("close", JAVA_INT, JAVA_INT);

  /** Not closed: another thread may close the connection while a send is about to return. */
  private final Arena arena = Arena.ofAuto();

  private final MemorySegment captured = arena.allocate(Linker.Option.captureStateLayout());
  private final int socket;

  private RawHandoff(String path) throws IOException {
    socket = call(() -> (int) SOCKET.invokeExact(captured, AF_UNIX, SOCK_STREAM_CLOEXEC, 0));
    MemorySegment timeout = arena.allocate(2 * JAVA_LONG.byteSize(), Long.BYTES);
    timeout.set(JAVA_LONG, 0, WAIT_SECONDS);
    for (int option : new int[] {SO_RCVTIMEO, SO_SNDTIMEO}) {
      int _ =
          call(() ->
              (int) SETSOCKOPT.invokeExact(captured, socket, SOL_SOCKET, option, timeout, 16));
    }
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    MemorySegment address = arena.allocate(110, 2);
    address.set(JAVA_SHORT, 0, (short) AF_UNIX);
    MemorySegment.copy(bytes, 0, address, JAVA_BYTE, 2, bytes.length);
    try {
      int _ = call(() -> (int) CONNECT.invokeExact(captured, socket, address, 110));
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  public static RawHandoff connect(String path) throws IOException {
    return new RawHandoff(path);
  }

  /** Connects to the socket of a server's directory. */
  public static RawHandoff connect(TestServer server) throws IOException {
    return connect(socketOf(server));
  }

  private static String socketOf(TestServer server) {
    Path grpc = Path.of(server.target().substring("unix:".length()));
    return grpc.resolveSibling("handoff.sock").toString();
  }

  /**
   * Sends bytes.
   *
   * @return whether the server still takes them: false for EPIPE
   */
  public boolean send(byte[] bytes) throws IOException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment data = scratch.allocateFrom(JAVA_BYTE, bytes);
      long sent = 0;
      while (sent < bytes.length) {
        MemorySegment rest = data.asSlice(sent);
        sent +=
            call(() ->
                (int)
                    (long) SEND.invokeExact(captured, socket, rest, rest.byteSize(), MSG_NOSIGNAL));
      }
      return true;
    } catch (Refused e) {
      if (e.errno == EPIPE || e.errno == ECONNRESET) {
        return false;
      }
      throw e;
    }
  }

  public boolean send(String text) throws IOException {
    return send(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Sends bytes and, with the same message, descriptors of its own. */
  public void sendWithDescriptor(String text, int descriptor) throws IOException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment data =
          scratch.allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.ISO_8859_1));
      MemorySegment control = scratch.allocate(CMSG_SPACE, Long.BYTES);
      control.set(JAVA_LONG, 0, CMSG_LEN);
      control.set(JAVA_INT, 8, SOL_SOCKET);
      control.set(JAVA_INT, 12, SCM_RIGHTS);
      control.set(JAVA_INT, 16, descriptor);
      MemorySegment message = message(scratch, data, control);
      int _ = call(() -> (int) (long) SENDMSG.invokeExact(captured, socket, message, MSG_NOSIGNAL));
    }
  }

  /** Reads exactly one byte, without room for control data; {@link #END} if there is none. */
  public int readStatus() throws IOException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment data = scratch.allocate(1);
      int read = call(() -> (int) (long) RECV.invokeExact(captured, socket, data, 1L, 0));
      return read == 0 ? END : data.get(JAVA_BYTE, 0);
    } catch (Refused e) {
      if (e.errno == ECONNRESET) {
        return END;
      }
      throw e;
    }
  }

  /** Receives one message; its descriptor, if it brings one. Of one byte, if it is any. */
  public OptionalInt receiveDescriptor() throws IOException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment data = scratch.allocate(2);
      MemorySegment control = scratch.allocate(CMSG_SPACE, Long.BYTES);
      MemorySegment message = message(scratch, data, control);
      int read =
          call(() -> (int) (long) RECVMSG.invokeExact(captured, socket, message, MSG_CMSG_CLOEXEC));
      boolean hasOne =
          message.get(JAVA_LONG, 40) >= CMSG_LEN && control.get(JAVA_INT, 12) == SCM_RIGHTS;
      if (hasOne && read != 1) {
        throw new AssertionError("the descriptor came with " + read + " bytes");
      }
      return hasOne ? OptionalInt.of(control.get(JAVA_INT, 16)) : OptionalInt.empty();
    } catch (Refused e) {
      if (e.errno == ECONNRESET) {
        return OptionalInt.empty();
      }
      throw e;
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

  /** The whole exchange: sends a token, and takes the descriptor that its session gets. */
  public static FetchedFile fetch(TestServer server, String token) throws IOException {
    return fetch(socketOf(server), token);
  }

  public static FetchedFile fetch(String socket, String token) throws IOException {
    try (RawHandoff connection = connect(socket)) {
      connection.send(token + "\n");
      int status = connection.readStatus();
      if (status != HandoffStatus.PASSED.code()) {
        throw new AssertionError("refused with status " + status);
      }
      return new FetchedFile(connection.receiveDescriptor().orElseThrow());
    }
  }

  /** Says that nothing more will be sent. */
  public void shutdownOutput() throws IOException {
    int _ = call(() -> (int) SHUTDOWN.invokeExact(captured, socket, SHUT_WR));
  }

  @Override
  public void close() throws IOException {
    closeDescriptor(socket);
  }

  /** Closes a descriptor that was received. */
  public static void closeDescriptor(int descriptor) throws IOException {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment errno = scratch.allocate(Linker.Option.captureStateLayout());
      int result;
      try {
        result = (int) CLOSE.invokeExact(errno, descriptor);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
      if (result != 0) {
        throw new IOException("close: errno " + (int) ERRNO.get(errno, 0L));
      }
    }
  }

  @FunctionalInterface
  private interface Downcall {
    int make() throws Throwable;
  }

  private static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;
    private final int errno;

    Refused(int errno) {
      super("errno " + errno);
      this.errno = errno;
    }
  }

  private int call(Downcall downcall) throws Refused {
    int result;
    do {
      try {
        result = downcall.make();
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
    } while (result == -1 && (int) ERRNO.get(captured, 0L) == 4); // EINTR
    if (result == -1) {
      throw new Refused((int) ERRNO.get(captured, 0L));
    }
    return result;
  }

  private static MethodHandle bind(String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(result, arguments),
        CAPTURE_ERRNO);
  }
}
