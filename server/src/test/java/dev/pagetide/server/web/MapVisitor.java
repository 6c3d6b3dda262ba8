package dev.pagetide.server.web;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** A visitor of the tide map without a browser's manners: writes whatever request it likes. */
public final class MapVisitor implements AutoCloseable {
  private static final int WAIT_MILLIS = 30_000;

  private final Socket socket = new Socket();
  private final BufferedReader in;
  private final int status;
  private final Map<String, String> headers = new LinkedHashMap<>();

  /** Sends a request line and headers, and reads the answer's. */
  MapVisitor(URI server, String requestLine, String... requestHeaders) throws IOException {
    // Small, so that what is not read is soon not sent either.
    socket.setReceiveBufferSize(4096);
    socket.connect(new InetSocketAddress(server.getHost(), server.getPort()));
    socket.setSoTimeout(WAIT_MILLIS);
    OutputStream out = socket.getOutputStream();
    String request =
        requestLine
            + " HTTP/1.1\r\n"
            + String.join("\r\n", requestHeaders)
            + (requestHeaders.length == 0 ? "" : "\r\n")
            + "\r\n";
    out.write(request.getBytes(StandardCharsets.ISO_8859_1));
    out.flush();
    InputStream answer = socket.getInputStream();
    in = new BufferedReader(new InputStreamReader(answer, StandardCharsets.UTF_8), 512);
    status = Integer.parseInt(line().split(" ", -1)[1]);
    for (String line = line(); !line.isEmpty(); line = line()) {
      int colon = line.indexOf(':');
      headers.merge(
          line.substring(0, colon).toLowerCase(Locale.ROOT),
          line.substring(colon + 1).strip(),
          (a, b) -> a + ", " + b);
    }
  }

  /** A visitor that asks for the map by the name it is to be asked for. */
  public static MapVisitor get(URI server, String path, String... more) throws IOException {
    String[] headers = new String[more.length + 1];
    headers[0] = "Host: " + server.getAuthority();
    System.arraycopy(more, 0, headers, 1, more.length);
    return new MapVisitor(server, "GET " + path, headers);
  }

  private String line() throws IOException {
    String line = in.readLine();
    if (line == null) {
      throw new IOException("the server hung up");
    }
    return line;
  }

  int status() {
    return status;
  }

  /** A header of the answer; empty if it has none. */
  public String header(String name) {
    return headers.getOrDefault(name, "");
  }

  Map<String, String> headers() {
    return headers;
  }

  /** The next line of the body that begins so; chunks are passed over. */
  public String next(String beginning) throws IOException {
    while (true) {
      String line = line();
      if (line.startsWith(beginning)) {
        return line;
      }
    }
  }

  /** Reads until the server hangs up; tells whether it did so before the time was up. */
  boolean isHungUp() {
    try {
      while (in.read() >= 0) {
        // Whatever it is.
      }
      return true;
    } catch (java.net.SocketTimeoutException e) {
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
