package dev.pagetide.server.web;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.DefaultHttpContent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** An answer of server-sent events, without end. Only for one thread, which is no event loop. */
final class EventStream {
  static final String TYPE = "text/event-stream";

  private final HttpConnection connection;

  /** A stream on a connection to which the answer's headers have been given. */
  EventStream(HttpConnection connection) {
    this.connection = connection;
  }

  /**
   * Sends events, and waits until the kernel has them. If the reader does not read, that is until
   * it does, or until the calling thread is interrupted.
   *
   * @throws IOException if the reader has hung up
   */
  void send(String events) throws IOException, InterruptedException {
    ChannelFuture sent =
        connection.send(
            new DefaultHttpContent(Unpooled.copiedBuffer(events, StandardCharsets.UTF_8)));
    sent.await();
    if (!sent.isSuccess()) {
      throw new IOException("the reader of the events has hung up", sent.cause());
    }
  }
}
