package dev.pagetide.server.rpc;

import io.netty.channel.Channel;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The last words to a connection that is not served: HTTP/2's GOAWAY with a sentence. A gRPC client
 * shows the sentence to its user, together with UNAVAILABLE.
 *
 * <p>Thread-safe.
 */
final class Farewell {
  private static final int SETTINGS = 4;
  private static final int GOAWAY = 7;
  private static final int ENHANCE_YOUR_CALM = 11;
  private static final int FRAME_HEADER_BYTES = 9;

  private final String why;

  /** Direct, because the kernel reads it. Nobody moves its position. */
  private final ByteBuffer frames;

  Farewell(String why) {
    this.why = why;
    byte[] text = why.getBytes(StandardCharsets.UTF_8);
    int goAwayBytes = 2 * Integer.BYTES + text.length;
    this.frames = ByteBuffer.allocateDirect(2 * FRAME_HEADER_BYTES + goAwayBytes);
    header(SETTINGS, 0); // every HTTP/2 server begins with it
    header(GOAWAY, goAwayBytes);
    frames.putInt(0).putInt(ENHANCE_YOUR_CALM).put(text); // no stream was served
  }

  private void header(int type, int length) {
    frames.putInt(length << 8 | type).put((byte) 0).putInt(0);
  }

  /** The sentence. */
  String why() {
    return why;
  }

  /**
   * Sends it to a connection that no event loop knows. Does not wait: its socket is still empty.
   */
  void say(Channel accepted) {
    if (accepted instanceof UnixChannel socket) {
      try {
        int _ = socket.fd().write(frames, 0, frames.capacity());
      } catch (IOException e) {
        // The client has gone already.
      }
    }
  }
}
