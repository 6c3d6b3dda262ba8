package dev.pagetide.server.kit;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/** A client that writes HTTP/2 frames itself (RFC 9113), and so can do what gRPC's would not. */
public final class RawHttp2 implements AutoCloseable {
  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int SETTINGS = 4;
  private static final int GOAWAY = 7;
  private static final int WINDOW_UPDATE = 8;
  private static final int ACK = 1;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int FRAME_HEADER_BYTES = 9;

  private final SocketChannel socket;
  private final ByteBuffer input = ByteBuffer.allocate(1 << 20);
  private final Set<Integer> ended = new HashSet<>();
  private boolean hasSettings;
  private boolean isEnded;
  private OptionalInt goAway = OptionalInt.empty();
  private int nextStream = 1;

  /** Bytes that may still be sent on this connection. */
  private long window = 65_535;

  private RawHttp2(SocketChannel socket) {
    this.socket = socket;
  }

  /** Connects to {@code unix:PATH}. */
  public static RawHttp2 connect(String target) throws IOException {
    SocketChannel socket = SocketChannel.open(StandardProtocolFamily.UNIX);
    socket.connect(UnixDomainSocketAddress.of(target.substring("unix:".length())));
    socket.configureBlocking(false);
    RawHttp2 client = new RawHttp2(socket);
    client.write(
        ByteBuffer.wrap("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
    client.write(frame(SETTINGS, 0, 0, new byte[0]));
    // Its windows are ours once we have acknowledged its settings.
    Awaitility.await()
        .until(() -> {
          client.readFrames();
          return client.hasSettings;
        });
    client.write(frame(SETTINGS, ACK, 0, new byte[0]));
    return client;
  }

  /** Sends the headers of a call and the length of its message; returns the stream's number. */
  public int startCall(String path, int messageBytes) throws IOException {
    int stream = nextStream;
    nextStream += 2;
    write(frame(HEADERS, END_HEADERS, stream, headers(path)));
    sendData(stream, ByteBuffer.allocate(5).put((byte) 0).putInt(messageBytes).array());
    return stream;
  }

  /** Sends part of a message once the connection's window allows, unless the call has ended. */
  public void sendData(int stream, byte[] bytes) throws IOException {
    Awaitility.await()
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .pollInterval(1, TimeUnit.MILLISECONDS)
        .until(() -> {
          readFrames();
          return window >= bytes.length || ended.contains(stream);
        });
    if (!ended.contains(stream)) {
      window -= bytes.length;
      write(frame(DATA, 0, stream, bytes));
    }
  }

  /** How many bytes may be sent now on this connection, while the server takes none. */
  public long windowBytes() throws IOException {
    readFrames();
    return window;
  }

  /** How many calls the server has ended. */
  public int endedCalls() throws IOException {
    readFrames();
    return ended.size();
  }

  /**
   * Sends calls with an empty message until the server takes no more.
   *
   * @return whether that happened before so many had been sent
   */
  public boolean floodWithoutReading(String path, int calls) throws IOException {
    byte[] headers = headers(path);
    for (int call = 0; call < calls; call++) {
      int stream = nextStream;
      nextStream += 2;
      ByteBuffer both =
          ByteBuffer.allocate(2 * FRAME_HEADER_BYTES + headers.length + 5)
              .put(frame(HEADERS, END_HEADERS, stream, headers))
              .put(frame(DATA, END_STREAM, stream, new byte[5]))
              .flip();
      if (socket.write(both) > 0 && !both.hasRemaining()) {
        continue;
      }
      try {
        Awaitility.await()
            .atMost(2, TimeUnit.SECONDS)
            .pollDelay(0, TimeUnit.MILLISECONDS)
            .pollInterval(1, TimeUnit.MILLISECONDS)
            .until(() -> socket.write(both) >= 0 && !both.hasRemaining());
      } catch (ConditionTimeoutException e) {
        return true;
      }
    }
    return false;
  }

  /** The bytes of the next call's headers. */
  public byte[] nextHeaders(String path) {
    int stream = nextStream;
    nextStream += 2;
    return frame(HEADERS, END_HEADERS, stream, headers(path)).array();
  }

  /** The number of the call whose headers were made last. */
  public int lastStream() {
    return nextStream - 2;
  }

  /** The bytes of a frame. */
  public static byte[] frameBytes(int type, int flags, int stream, byte[] payload) {
    return frame(type, flags, stream, payload).array();
  }

  /**
   * Sends batches of frames until the server ends the connection.
   *
   * @param batches makes one batch
   * @return the error code with which it ended; empty if it took as many batches as that
   */
  public OptionalInt floodUntilEnded(Callable<byte[]> batches, int most) throws Exception {
    for (int batch = 0; batch < most && !isEnded; batch++) {
      ByteBuffer bytes = ByteBuffer.wrap(batches.call());
      await(() -> isSentOrEnded(bytes));
    }
    if (isEnded) {
      // What it still sent can be read.
      await(() -> goAway.isPresent() || !hasMore());
    }
    return goAway;
  }

  private static void await(Callable<Boolean> condition) {
    Awaitility.await()
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .pollInterval(1, TimeUnit.MILLISECONDS)
        .until(condition);
  }

  private boolean isSentOrEnded(ByteBuffer bytes) {
    try {
      readFrames();
      return socket.write(bytes) >= 0 && !bytes.hasRemaining();
    } catch (IOException e) {
      isEnded = true;
      return true;
    }
  }

  private boolean hasMore() {
    try {
      readFrames();
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private void readFrames() throws IOException {
    if (socket.read(input) < 0) {
      throw new EOFException("the server closed the connection");
    }
    input.flip();
    while (input.remaining() >= FRAME_HEADER_BYTES) {
      input.mark();
      int lengthAndType = input.getInt();
      int flags = input.get();
      int stream = input.getInt();
      int length = lengthAndType >>> 8;
      if (input.remaining() < length) {
        input.reset();
        break;
      }
      int next = input.position() + length;
      switch (lengthAndType & 0xff) {
        case WINDOW_UPDATE -> window += stream == 0 ? input.getInt() : 0;
        case SETTINGS -> hasSettings = true;
        case GOAWAY -> {
          int _ = input.getInt(); // the last stream
          goAway = OptionalInt.of(input.getInt());
        }
        case HEADERS -> {
          if ((flags & END_STREAM) != 0) {
            ended.add(stream);
          }
        }
        default -> {
          // Settings, pings and the like are none of the test's business.
        }
      }
      input.position(next);
    }
    input.compact();
  }

  private void write(ByteBuffer bytes) throws IOException {
    Awaitility.await()
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .pollInterval(1, TimeUnit.MILLISECONDS)
        .until(() -> socket.write(bytes) >= 0 && !bytes.hasRemaining());
  }

  private static ByteBuffer frame(int type, int flags, int stream, byte[] payload) {
    return ByteBuffer.allocate(FRAME_HEADER_BYTES + payload.length)
        .putInt(payload.length << 8 | type)
        .put((byte) flags)
        .putInt(stream)
        .put(payload)
        .flip();
  }

  /** A gRPC call's headers in HPACK (RFC 7541), every one a literal that is not indexed. */
  private static byte[] headers(String path) {
    ByteBuffer block = ByteBuffer.allocate(512);
    String[] fields = {
      ":method",
      "POST",
      ":scheme",
      "http",
      ":path",
      path,
      ":authority",
      "localhost",
      "content-type",
      "application/grpc",
      "te",
      "trailers"
    };
    for (int i = 0; i < fields.length; i++) {
      if (i % 2 == 0) {
        block.put((byte) 0);
      }
      byte[] text = fields[i].getBytes(StandardCharsets.US_ASCII);
      block.put((byte) text.length).put(text);
    }
    byte[] bytes = new byte[block.flip().remaining()];
    block.get(bytes);
    return bytes;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
