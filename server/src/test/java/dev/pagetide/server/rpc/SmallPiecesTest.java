package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a piece of a message keeps of the read that brought it. */
@Promise(32)
final class SmallPiecesTest {
  private static final int STREAM = 3;
  private static final int PADDING = 7;
  private static final byte[] BYTES = {1, 2, 3, 4, 5, 6, 7, 8};

  private final ByteBuf read = Unpooled.buffer(64 * 1024).writeBytes(BYTES).writeZero(60_000);
  private final List<ByteBuf> kept = new ArrayList<>();
  private final ChannelHandlerContext context =
      new EmbeddedChannel(new ChannelInboundHandlerAdapter()).pipeline().firstContext();
  private final SmallPieces pieces =
      new SmallPieces(
          new Http2FrameAdapter() {
            @Override
            public int onDataRead(
                ChannelHandlerContext ctx, int stream, ByteBuf data, int padding, boolean end) {
              assertThat(stream).isEqualTo(STREAM);
              kept.add(data.retain()); // as gRPC does
              return data.readableBytes() + padding;
            }
          });

  @AfterEach
  void release() {
    kept.forEach(ByteBuf::release);
    assertThat(kept).allMatch(piece -> piece.refCnt() == 0);
  }

  private int pass(int from, int length, boolean end) throws Http2Exception {
    return pieces.onDataRead(context, STREAM, read.slice(from, length), PADDING, end);
  }

  @Test
  void onDataRead_smallPiece_keepsItsOwnBytesAlone() throws Http2Exception {
    assertThat(pass(2, 5, false)).isEqualTo(5 + PADDING);

    assertThat(read.refCnt()).as("the read is kept by nobody").isEqualTo(1);
    assertThat(kept.getFirst()).isEqualTo(Unpooled.wrappedBuffer(BYTES, 2, 5));
    assertThat(kept.getFirst().capacity()).isEqualTo(5);
    read.release();
    assertThat(read.refCnt()).isZero();
  }

  @Test
  void onDataRead_largePieceOrTheLastOne_isNotCopied() throws Http2Exception {
    assertThat(pass(0, 16 * 1024, false)).isEqualTo(16 * 1024 + PADDING);
    assertThat(pass(0, 5, true)).isEqualTo(5 + PADDING);

    assertThat(read.refCnt()).isEqualTo(3);
    read.release();
  }
}
