package dev.pagetide.server.kit;

import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.testkit.SystemCalls;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * A connection to the hand-off socket as a client in C has it: plain system calls, so that what is
 * tested is the protocol and not a library's view of it. Each call gives up after 30 s.
 */
public final class RawHandoff implements AutoCloseable {
  /** What {@link #readStatus} gives where the connection ended without a byte. */
  public static final int END = -1;

  private static final long WAIT_SECONDS = 30;

  private final int socket;

  private RawHandoff(String path) throws IOException {
    socket = answer(SystemCalls.connect(Path.of(path), WAIT_SECONDS));
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
    int sent = 0;
    while (sent < bytes.length) {
      int more = SystemCalls.send(socket, Arrays.copyOfRange(bytes, sent, bytes.length));
      if (more == -SystemCalls.EPIPE || more == -SystemCalls.ECONNRESET) {
        return false;
      }
      sent += answer(more);
    }
    return true;
  }

  public boolean send(String text) throws IOException {
    return send(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  /**
   * Sends bytes and, with the same message, a descriptor of its own; without it if the kernel does
   * not let the server's clients send one.
   */
  public void sendWithDescriptor(String text, int descriptor) throws IOException {
    int sent = SystemCalls.sendDescriptor(socket, text, descriptor);
    if (sent == -SystemCalls.EPERM) {
      send(text);
    } else {
      int _ = answer(sent);
    }
  }

  /** Reads exactly one byte, without room for control data; {@link #END} if there is none. */
  public int readStatus() throws IOException {
    byte[] status = new byte[1];
    int read = SystemCalls.receive(socket, status);
    if (read == -SystemCalls.ECONNRESET || answer(read) == 0) {
      return END;
    }
    return status[0];
  }

  /** Receives one message; its descriptor, if it brings one. Of one byte, if it is any. */
  public OptionalInt receiveDescriptor() throws IOException {
    SystemCalls.Received received = SystemCalls.receiveMessage(socket, 2);
    if (received.read() == -SystemCalls.ECONNRESET) {
      return OptionalInt.empty();
    }
    if (answer(received.read()) != 1 && received.descriptor().isPresent()) {
      closeDescriptor(received.descriptor().getAsInt());
      throw new AssertionError("the descriptor came with " + received.read() + " bytes");
    }
    return received.descriptor();
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
  public void shutdownOutput() {
    SystemCalls.shutdownOutput(socket);
  }

  @Override
  public void close() throws IOException {
    closeDescriptor(socket);
  }

  /** Closes a descriptor that was received. */
  public static void closeDescriptor(int descriptor) throws IOException {
    int _ = answer(SystemCalls.tryClose(descriptor));
  }

  /** What a call answered, unless that is minus an errno. */
  private static int answer(int result) throws IOException {
    if (result < 0) {
      throw new IOException("errno " + -result);
    }
    return result;
  }
}
