package dev.pagetide.server.rpc;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;

/**
 * Copies small pieces of messages, so that a piece keeps no more memory than its own.
 *
 * <p>gRPC keeps the pieces of a message until all of them are there. Each would keep the whole
 * buffer of the read that brought it, 64 KiB: a client could have the server keep all of its memory
 * for a few thousand bytes. A piece that ends its call is not copied, because nothing waits for
 * more then.
 */
final class SmallPieces extends Http2FrameListenerDecorator {
  /** Pieces of this size and more are not copied: a frame of usual size. */
  private static final int LARGE_BYTES = 16 * 1024;

  SmallPieces(Http2FrameListener listener) {
    super(listener);
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext context, int stream, ByteBuf data, int padding, boolean endOfStream)
      throws Http2Exception {
    int bytes = data.readableBytes();
    if (endOfStream || bytes >= LARGE_BYTES) {
      return super.onDataRead(context, stream, data, padding, endOfStream);
    }
    ByteBuf copy = context.alloc().buffer(bytes, bytes).writeBytes(data, data.readerIndex(), bytes);
    try {
      return super.onDataRead(context, stream, copy, padding, false);
    } finally {
      copy.release();
    }
  }
}
