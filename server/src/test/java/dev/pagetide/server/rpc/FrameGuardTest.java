package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.session.Peer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a connection's guard passes on, what it lets wait, and when it ends the connection. */
final class FrameGuardTest {
  private static final int HEADERS_A_TURN = FrameGuard.TURN_COST / FrameGuard.HEADERS_COST;

  private final List<String> limits = new ArrayList<>();
  private final List<ByteBuf> sent = new ArrayList<>();
  private final Service service = new Service();
  private final Reading reading = new Reading();
  private long now = 1_000;

  private final FrameGuard guard =
      new FrameGuard(Peer.unix(1, 2), (peer, limit, why) -> limits.add(limit), reading, () -> now);
  private final EmbeddedChannel channel = new EmbeddedChannel(guard, service);

  /** The handler of HTTP/2 behind the guard: takes the bytes, and notes where a turn ends. */
  private static final class Service extends ChannelInboundHandlerAdapter {
    private final ByteBuf taken = Unpooled.buffer();
    private final List<Integer> turns = new ArrayList<>();
    private @Nullable Throwable fault;
    private int sinceTurn;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf bytes = (ByteBuf) message;
      sinceTurn += bytes.readableBytes();
      taken.writeBytes(bytes);
      bytes.release();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      turns.add(sinceTurn);
      sinceTurn = 0;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      fault = cause;
    }

    byte[] bytes() {
      return ByteBufUtil.getBytes(taken);
    }
  }

  @AfterEach
  void everyBuffer_atTheEnd_isReleased() {
    var _ = channel.finishAndReleaseAll();
    assertThat(sent).allSatisfy(bytes -> assertThat(bytes.refCnt()).isZero());
  }

  /** What one read brings, without the end of the turn. */
  private void read(byte[] bytes, int from, int end) {
    ByteBuf buffer = PooledByteBufAllocator.DEFAULT.directBuffer(Math.max(1, end - from));
    buffer.writeBytes(bytes, from, end - from);
    sent.add(buffer);
    channel.pipeline().fireChannelRead(buffer);
  }

  private void read(byte[] bytes) {
    read(bytes, 0, bytes.length);
    channel.pipeline().fireChannelReadComplete();
  }

  private void takeTurns() {
    for (int turn = 0; turn < 1_000 && reading.isStopped(); turn++) {
      channel.runPendingTasks();
    }
  }

  @Test
  void channelRead_bytesInTwoReads_passesThemOnUnchangedWhereverTheFirstEnds() {
    byte[] bytes =
        new Frames()
            .preface()
            .add(FrameScanner.SETTINGS, 0, 6)
            .add(HEADERS_A_TURN - 2, FrameScanner.HEADERS, 4, 0)
            .add(FrameScanner.DATA, 0, 20)
            .add(3, FrameScanner.HEADERS, 5, 7)
            .add(FrameScanner.RST_STREAM, 0, 4)
            .bytes();
    for (int split = 0; split <= bytes.length; split++) {
      FrameGuardTest one = new FrameGuardTest();

      one.read(bytes, 0, split);
      one.read(bytes, split, bytes.length);
      one.channel.pipeline().fireChannelReadComplete();
      one.takeTurns();

      assertThat(one.service.bytes()).as("split at %d", split).isEqualTo(bytes);
      assertThat(one.limits).isEmpty();
      one.everyBuffer_atTheEnd_isReleased();
    }
  }

  @Test
  void channelRead_moreCallsThanATurnAllows_waitInOrderAndNothingIsReadMeanwhile() {
    int frame = FrameScanner.HEADER_BYTES + 11;
    byte[] bytes = new Frames().preface().add(200, FrameScanner.HEADERS, 5, 11).bytes();
    byte[] more = new Frames().add(50, FrameScanner.HEADERS, 5, 12).bytes();

    read(bytes);
    boolean readAtFirst = channel.config().isAutoRead();
    read(more);
    takeTurns();

    assertThat(readAtFirst).isFalse();
    assertThat(service.turns.getFirst())
        .isEqualTo(FrameScanner.PREFACE_BYTES + HEADERS_A_TURN * frame);
    assertThat(service.turns).allMatch(turn -> turn <= HEADERS_A_TURN * (frame + 1) + 24);
    assertThat(service.bytes())
        .isEqualTo(ByteBufUtil.getBytes(Unpooled.wrappedBuffer(bytes, more)));
    assertThat(channel.config().isAutoRead()).isTrue();
    assertThat(limits).isEmpty();
  }

  @Test
  void channelRead_severalReadsInOneTurn_countTogether() {
    byte[] some = new Frames().add(20, FrameScanner.HEADERS, 5, 11).bytes();

    read(new Frames().preface().bytes());
    read(some, 0, some.length);
    read(some, 0, some.length);
    read(some, 0, some.length);

    assertThat(service.bytes())
        .hasSize(FrameScanner.PREFACE_BYTES + HEADERS_A_TURN * (FrameScanner.HEADER_BYTES + 11));
    takeTurns();
    assertThat(service.bytes()).hasSize(FrameScanner.PREFACE_BYTES + 3 * some.length);
  }

  @Test
  void turn_anotherHandlerStoppedReadingToo_isReadFromOnlyOnceBothHaveResumed() {
    reading.stop(channel);
    read(new Frames().preface().add(100, FrameScanner.HEADERS, 5, 11).bytes());

    for (int turn = 0; turn < 10; turn++) {
      channel.runPendingTasks();
    }

    assertThat(service.bytes()).hasSize(FrameScanner.PREFACE_BYTES + 100 * 20);
    assertThat(channel.config().isAutoRead()).isFalse();
    reading.resume(channel);
    assertThat(channel.config().isAutoRead()).isTrue();
  }

  @Test
  void close_bytesWait_passesThemOn() {
    byte[] bytes = new Frames().preface().add(200, FrameScanner.HEADERS, 5, 11).bytes();
    read(bytes);

    assertThat(service.bytes()).hasSizeLessThan(bytes.length);

    var _ = channel.close();

    assertThat(service.bytes()).isEqualTo(bytes);
    channel.runPendingTasks();
    assertThat(service.bytes()).isEqualTo(bytes);
    assertThat(sent).allSatisfy(buffer -> assertThat(buffer.refCnt()).isZero());
  }

  /** Sends frames of one kind, one more than the limit, at once. */
  @ParameterizedTest
  @CsvSource({
    "3, 0, 4, 10000, http2-resets",
    "6, 0, 8, 10000, http2-updates",
    "6, 1, 8, 10000, http2-updates",
    "8, 0, 4, 10000, http2-updates",
    "0, 0, 0, 1000, http2-control",
    "0, 8, 1, 1000, http2-control",
    "2, 0, 5, 1000, http2-control",
    "4, 0, 0, 1000, http2-control",
    "4, 1, 0, 1000, http2-control",
    "7, 0, 8, 1000, http2-control",
    "9, 0, 0, 1000, http2-control",
    "99, 0, 0, 1000, http2-control"
  })
  void channelRead_aFlood_endsTheConnectionAtItsLimit(
      int type, int flags, int length, int most, String limit) {
    read(new Frames().preface().bytes());
    read(new Frames().add(most, type, flags, length).bytes());
    takeTurns();
    assertThat(limits).isEmpty();

    read(new Frames().add(2, type, flags, length).bytes());
    read(new Frames().add(2, FrameScanner.HEADERS, 5, 9).bytes());
    takeTurns();

    assertThat(limits).containsExactly(limit);
    assertThat(service.fault)
        .isInstanceOfSatisfying(
            Http2Exception.class,
            fault -> {
              assertThat(fault.error()).isEqualTo(Http2Error.ENHANCE_YOUR_CALM);
              assertThat(fault)
                  .hasMessageContaining("more than " + most + " ")
                  .hasMessageContaining("no option raises this");
            });
    assertThat(service.bytes())
        .hasSize(FrameScanner.PREFACE_BYTES + most * (FrameScanner.HEADER_BYTES + length));
    assertThat(channel.config().isAutoRead()).isFalse();

    // Also if the client does not read why.
    channel.advanceTimeBy(1, TimeUnit.SECONDS);
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
  }

  @Test
  void channelRead_manyFramesOverALongTime_areNoFlood() {
    read(new Frames().preface().bytes());
    for (int window = 0; window < 5; window++) {
      read(new Frames().add(FrameCounts.MOST_CONTROL, FrameScanner.SETTINGS, 0, 0).bytes());
      takeTurns();
      now += TimeUnit.SECONDS.toNanos(FrameCounts.WINDOW_SECONDS);
    }

    assertThat(limits).isEmpty();
  }

  @Test
  void channelRead_updatesInProportionToAnswers_areNoFlood() {
    byte[] updates =
        new Frames()
            .add(2, FrameScanner.WINDOW_UPDATE, 0, 4)
            .add(2, FrameScanner.PING, 0, 8)
            .bytes();
    byte[] answer = new Frames().add(FrameScanner.DATA, 0, 5).bytes();
    read(new Frames().preface().bytes());

    for (int i = 0; i < FrameCounts.MOST_UPDATES; i++) {
      var _ = channel.writeOutbound(Unpooled.wrappedBuffer(answer));
      read(updates);
      takeTurns();
    }

    assertThat(limits).isEmpty();
  }

  @Test
  void channelRead_callsWithoutEnd_areNoFlood() {
    read(new Frames().preface().bytes());

    for (int i = 0; i < 300; i++) {
      read(new Frames().add(50, FrameScanner.HEADERS, 4, 9).add(50, 0, 1, 0).bytes());
      takeTurns();
    }

    assertThat(limits).isEmpty();
    assertThat(service.bytes()).hasSize(FrameScanner.PREFACE_BYTES + 300 * 50 * 27);
  }
}
