package dev.pagetide.server.rpc;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import java.util.Locale;

/**
 * Stops reading from a connection while more than {@link #MAX_UNREAD_BYTES} of its outbound data is
 * unsent.
 *
 * <p>HTTP/2's flow control bounds the data of answers, but not the frames that end a call. If a
 * client sends calls and reads nothing from its socket, the server would have to keep one such
 * frame for every call that it refuses.
 */
/*
 * Data alone never reaches this limit, because the flow controller stops at Netty's high watermark,
 * 64 KiB. The HTTP/2 handler asks for more bytes even if automatic reading is off; therefore we
 * override read(), also for the FrameGuard behind this handler.
 */
final class OutboundBackpressure extends ChannelDuplexHandler {
  /** The size of some thousand refusals. */
  static final long MAX_UNREAD_BYTES = 1 << 20;

  private static final String LIMIT = "unread-answers";

  private final Peer peer;
  private final CutOffObserver cutOffs;
  private final Reading reading;
  private boolean stopped;

  OutboundBackpressure(Peer peer, CutOffObserver cutOffs, Reading reading) {
    this.peer = peer;
    this.cutOffs = cutOffs;
    this.reading = reading;
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    // For a closed channel Netty reports Long.MAX_VALUE unsent bytes.
    boolean open = context.channel().isActive();
    if (!stopped && open && context.channel().bytesBeforeWritable() > MAX_UNREAD_BYTES) {
      stopped = true;
      reading.stop(context.channel());
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
    if (!reading.isStopped()) {
      context.read();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (stopped && context.channel().isWritable()) {
      stopped = false;
      reading.resume(context.channel());
    }
    context.fireChannelWritabilityChanged();
  }
}
