package dev.pagetide.server.rpc;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps one connection from taking an event loop for itself.
 *
 * <p>It ends a connection that floods the server with frames for nothing ({@link FrameCounts}), and
 * it passes on only so many frames in one turn of the loop. The bytes behind them wait, unchanged,
 * while nothing more is read from this connection and the others have their turn.
 *
 * <p>Confined to the connection's event loop.
 */
/*
 * A read brings up to 64 KiB, which can be two thousand calls; and a loop reads from a connection
 * up to sixteen times before it turns to the next one. Therefore a turn ends between two frames
 * once its cost is spent, and the rest waits for a scheduled task. A task that execute() queued
 * would not do: the loop runs those that tasks queue before it looks at its sockets again. It looks
 * for scheduled ones once in each turn.
 *
 * What waits is the rest of a read or two, because reading stops. When the client closes the
 * connection, it is passed on at once, because nothing comes after it.
 */
final class FrameGuard extends ChannelDuplexHandler {
  /** What one turn may cost; about a millisecond. */
  static final int TURN_COST = 256;

  /** The cost of headers, which begin a call: 32 calls a turn. */
  static final int HEADERS_COST = 8;

  private static final int SETTINGS_COST = 4;

  /** DATA costs one for each of these bytes, beside one for the frame. */
  private static final int DATA_BYTES_SHIFT = 10;

  /** How long the frame that tells the client of its end may stay unread. */
  private static final long GOAWAY_SECONDS = 1;

  private final Peer peer;
  private final CutOffObserver cutOffs;
  private final Reading reading;
  private final FrameCounts counts;
  private final FrameScanner scanner = new FrameScanner();

  /** What waits for its turn, in its order. */
  private final Deque<ByteBuf> waiting = new ArrayDeque<>(2);

  /** The cost of what this turn has passed on. */
  private int spent;

  private boolean ended;

  FrameGuard(Peer peer, CutOffObserver cutOffs, Reading reading, PageClock clock) {
    this.peer = peer;
    this.cutOffs = cutOffs;
    this.reading = reading;
    this.counts = new FrameCounts(clock);
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf bytes)) {
      context.fireChannelRead(message);
    } else if (ended) {
      bytes.release();
    } else if (!waiting.isEmpty()) {
      waiting.addLast(bytes);
    } else {
      passOn(context, bytes);
      if (!waiting.isEmpty()) {
        reading.stop(context.channel());
        awaitTurn(context);
      }
    }
  }

  /** Passes on what the turn still allows, and lets the rest wait in front. */
  private void passOn(ChannelHandlerContext context, ByteBuf bytes) {
    int end = bytes.writerIndex();
    int index = bytes.readerIndex();
    while (index < end && !(spent >= TURN_COST && scanner.isBetweenFrames())) {
      index = scanner.next(bytes, index, end);
      if (scanner.found()) {
        spent += cost(scanner);
        FrameCounts.Rate exceeded = counts.add(scanner);
        if (exceeded != null) {
          bytes.release();
          cutOff(context, exceeded);
          return;
        }
      }
    }
    int passed = index - bytes.readerIndex();
    if (index == end) {
      context.fireChannelRead(bytes);
    } else {
      // It waits before the other part goes on, because that may close the connection.
      waiting.addFirst(bytes);
      if (passed > 0) {
        context.fireChannelRead(bytes.readRetainedSlice(passed));
      }
    }
  }

  private static int cost(FrameScanner frame) {
    return switch (frame.type()) {
      case FrameScanner.HEADERS, FrameScanner.CONTINUATION, FrameScanner.PUSH_PROMISE ->
          HEADERS_COST;
      case FrameScanner.DATA -> 1 + (frame.length() >>> DATA_BYTES_SHIFT);
      case FrameScanner.SETTINGS -> SETTINGS_COST;
      default -> 1;
    };
  }

  private void awaitTurn(ChannelHandlerContext context) {
    var _ = context.executor().schedule(() -> takeTurn(context), 0, TimeUnit.NANOSECONDS);
  }

  private void takeTurn(ChannelHandlerContext context) {
    if (waiting.isEmpty()) {
      return; // the connection has ended
    }
    spent = 0;
    while (!waiting.isEmpty() && spent < TURN_COST) {
      passOn(context, waiting.removeFirst());
    }
    // The service's handler sends its answers when a read is complete.
    context.fireChannelReadComplete();
    if (!waiting.isEmpty()) {
      awaitTurn(context);
    } else if (!ended) {
      spent = 0;
      reading.resume(context.channel());
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    if (waiting.isEmpty()) {
      spent = 0;
    }
    context.fireChannelReadComplete();
  }

  /** Counts frames of answers: clients send some frames in proportion to them. */
  @Override
  public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
    if (message instanceof ByteBuf bytes && isOfAnAnswer(bytes)) {
      counts.dataPassed();
    }
    var _ = context.write(message, promise);
  }

  private static boolean isOfAnAnswer(ByteBuf bytes) {
    // The header of a frame begins a buffer; a payload may be a buffer of its own.
    return bytes.readableBytes() >= FrameScanner.HEADER_BYTES
        && bytes.getUnsignedByte(bytes.readerIndex() + 3) <= FrameScanner.HEADERS;
  }

  private void cutOff(ChannelHandlerContext context, FrameCounts.Rate exceeded) {
    end();
    reading.stop(context.channel());
    cutOffs.cutOff(peer, exceeded.limit, exceeded.why());
    // gRPC's handler tells the client why, and closes the connection once that is sent.
    context.fireExceptionCaught(
        Http2Exception.connectionError(Http2Error.ENHANCE_YOUR_CALM, exceeded.why()));
    var _ =
        context
            .executor()
            .schedule(
                () -> {
                  var _ = context.close();
                },
                GOAWAY_SECONDS,
                TimeUnit.SECONDS);
  }

  /** A client may have sent all it has to say, and closed: what waits is passed on. */
  @Override
  public void channelInactive(ChannelHandlerContext context) {
    if (!waiting.isEmpty()) {
      for (@Nullable ByteBuf bytes = waiting.poll(); bytes != null; bytes = waiting.poll()) {
        context.fireChannelRead(bytes);
      }
      context.fireChannelReadComplete();
    }
    end();
    context.fireChannelInactive();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    end();
  }

  /** Nothing more is passed on. */
  private void end() {
    ended = true;
    for (@Nullable ByteBuf bytes = waiting.poll(); bytes != null; bytes = waiting.poll()) {
      bytes.release();
    }
  }
}
