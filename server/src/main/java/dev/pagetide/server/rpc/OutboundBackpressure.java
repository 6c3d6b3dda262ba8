package dev.pagetide.server.rpc;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.Locale;

/**
 * Takes nothing more from a connection while too much lies ready that its client does not take.
 *
 * <p>HTTP/2's flow control bounds the answers' data, not the frames that end a call. A client that
 * sends calls and reads nothing from its socket would have the server keep one such frame for every
 * call it refuses.
 */
/*
 * Data alone never gets here: the flow controller stops at Netty's high watermark, 64 KiB. The
 * HTTP/2 handler asks for more even where automatic reading is off, hence read().
 */
final class OutboundBackpressure extends ChannelDuplexHandler {
  /** Some thousand refusals. */
  static final long MAX_UNREAD_BYTES = 1 << 20;

  private static final String LIMIT = "unread-answers";

  private final Peer peer;
  private final CutOffObserver cutOffs;
  private boolean stopped;

  OutboundBackpressure(Peer peer, CutOffObserver cutOffs) {
    this.peer = peer;
    this.cutOffs = cutOffs;
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    // For a closed channel Netty reports Long.MAX_VALUE unsent bytes.
    boolean open = context.channel().isActive();
    if (!stopped && open && context.channel().bytesBeforeWritable() > MAX_UNREAD_BYTES) {
      stopped = true;
      context.channel().config().setAutoRead(false);
      cutOffs.cutOff(
          peer,
          LIMIT,
          String.format(
                  Locale.ROOT,
                  "more than %d bytes of answers lie unread; nothing is read from this connection"
                      + " until its",
                  MAX_UNREAD_BYTES)
              + " client has read some of them (no option raises this)");
    }
    context.fireChannelReadComplete();
  }

  @Override
  public void read(ChannelHandlerContext context) {
    if (!stopped) {
      context.read();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (stopped && context.channel().isWritable()) {
      stopped = false;
      context.channel().config().setAutoRead(true);
    }
    context.fireChannelWritabilityChanged();
  }
}
