package dev.pagetide.server.web;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** A connection to the HTTP listener on which a test sends and reads what it likes. */
final class RawHttpClient implements AutoCloseable {
  private static final int WAIT_MILLIS = 60_000;

  private final Socket socket = new Socket();

  /** Connects; whatever is not read stays with the server, but for what a small buffer holds. */
  RawHttpClient(URI server) throws IOException {
    socket.setReceiveBufferSize(1024);
    socket.setSoTimeout(WAIT_MILLIS);
    socket.connect(new InetSocketAddress(server.getHost(), server.getPort()));
  }

  /** Sends a text; false if the server has hung up. */
  boolean send(String text) throws IOException {
    try {
      socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
      return true;
    } catch (SocketException e) {
      return false;
    }
  }

  void endInput() throws IOException {
    socket.shutdownOutput();
  }

  /** Reads until the text that has come ends so. */
  String readUntil(String end) throws IOException {
    StringBuilder text = new StringBuilder();
    InputStream in = socket.getInputStream();
    while (!text.toString().endsWith(end)) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("the server hung up after: " + text);
      }
      text.append((char) next);
    }
    return text.toString();
  }

  /** Reads until the server hangs up. */
  String readAll() throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
  }

  /** Reads one byte if there is one; whether the server has hung up. */
  boolean readsEnd() throws IOException {
    socket.setSoTimeout(1);
    try {
      return socket.getInputStream().read() < 0;
    } catch (SocketTimeoutException e) {
      return false;
    } catch (SocketException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
