package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.session.Peer;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** When a connection counts as one whose client does not read. */
final class OutboundBackpressureTest {

  private final List<String> limits = new ArrayList<>();
  private final OutboundBackpressure handler =
      new OutboundBackpressure(
          Peer.unix(1, 2), (peer, limit, why) -> limits.add(limit), new Reading());

  @Test
  void read_muchLiesUnread_nothingMoreIsReadAndTheClientIsToldOfOnce() {
    EmbeddedChannel channel = new EmbeddedChannel(handler);
    channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1, 2));
    var _ = channel.write(Unpooled.wrappedBuffer(new byte[2 << 20]));

    channel.pipeline().fireChannelReadComplete();
    channel.pipeline().fireChannelReadComplete();

    assertThat(limits).containsExactly("unread-answers");
    assertThat(channel.config().isAutoRead()).isFalse();
    var _ = channel.finishAndReleaseAll();
  }

  /** A connection that ends while it is read from: Netty tells of the read's end afterwards. */
  @Test
  void readComplete_channelIsClosed_nobodyIsCutOff() {
    EmbeddedChannel channel = new EmbeddedChannel(handler);
    ChannelHandlerContext context = channel.pipeline().context(handler);
    var _ = channel.close();

    handler.channelReadComplete(context);

    assertThat(channel.isActive()).isFalse();
    assertThat(limits).isEmpty();
  }
}
