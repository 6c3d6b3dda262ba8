package dev.pagetide.server.web;

import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpContentException;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the HTTP listener. It has one request at a time; the next one is read when the
 * answer has been taken.
 *
 * <p>A client may be silent for {@link #SILENCES} times {@code --http-wait}. From the first byte of
 * a request to its end it has {@code --http-wait}, and then as long again to take the whole answer.
 * Otherwise the server hangs up. Only the map's events have no time limit.
 *
 * <p>Its methods are for its event loop, except those that say otherwise.
 */
final class HttpConnection extends ChannelInboundHandlerAdapter {
  private static final Logger LOG = LoggerFactory.getLogger(HttpConnection.class);

  /** The option that gives clients more time. */
  static final String LIMIT = "--http-wait";

  /** A scraper that asks every 15 s keeps its connection. */
  private static final int SILENCES = 3;

  /** What the server reads of a body before it refuses it. No request that it serves has one. */
  private static final int MAX_BODY_BYTES = 1 << 16;

  /** Who has to act. */
  private enum Turn {
    /** The client, which has sent nothing of its next request. */
    SILENT,
    /** The client, which has sent a part of a request. */
    ASKING,
    /** The server. */
    SERVED,
    /** The client: the answer is on its way. */
    TAKING,
    /**
     * The client, which has the last answer. What it still sends is dropped, because a connection
     * that is closed with unread bytes takes the answer from a client that has not read it yet.
     */
    LEAVING
  }

  private final HttpConnections connections;
  private final Consumer<WebRequest> pages;
  private final CutOffObserver cutOffs;
  private final long waitNanos;
  private final SocketChannel channel;

  /** Whole requests that came with the one that is served: as many as one read can bring. */
  private final Deque<HttpRequest> asked = new ArrayDeque<>();

  /** The request whose body is still to come, and how much of it has come. */
  private @Nullable HttpRequest begun;

  private long bodyBytes;

  /** The request that was served last, or is served now; null if none was, or it was malformed. */
  private @Nullable WebRequest served;

  private boolean inputEnded;
  private Turn turn = Turn.SILENT;
  private @Nullable Future<?> timeout;

  HttpConnection(
      SocketChannel channel,
      HttpConnections connections,
      Consumer<WebRequest> pages,
      CutOffObserver cutOffs,
      long waitNanos) {
    this.channel = channel;
    this.connections = connections;
    this.pages = pages;
    this.cutOffs = cutOffs;
    this.waitNanos = waitNanos;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    connections.admit(this);
    pass(Turn.SILENT);
    context.read();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    connections.remove(this);
    stopTimeout();
    asked.clear();
    begun = null;
  }

  private void pass(Turn next) {
    turn = next;
    stopTimeout();
    if (next == Turn.SERVED) {
      connections.serve(this);
    } else if (channel.isActive()) {
      connections.await(this);
      long nanos = next == Turn.SILENT ? SILENCES * waitNanos : waitNanos;
      timeout = channel.eventLoop().schedule(this::timeOut, nanos, TimeUnit.NANOSECONDS);
    }
  }

  private void stopTimeout() {
    if (timeout != null) {
      timeout.cancel(false);
      timeout = null;
    }
  }

  private void timeOut() {
    if (turn == Turn.SILENT || turn == Turn.LEAVING) {
      close(); // at rest, as browsers and scrapers leave it
    } else {
      cutOff(
          LIMIT,
          String.format(
              Locale.ROOT,
              turn == Turn.ASKING
                  ? "its HTTP request did not come within %s=%dms"
                  : "it did not take the HTTP answer within %s=%dms",
              LIMIT,
              TimeUnit.NANOSECONDS.toMillis(waitNanos)));
    }
  }

  private void close() {
    var _ = channel.close();
  }

  /** Hangs up because of a limit. What the client has not read is dropped in the kernel, too. */
  void cutOff(String limit, String why) {
    cutOffs.cutOff(Peer.TCP, limit, why);
    try {
      var _ = channel.config().setSoLinger(0);
    } catch (ChannelException e) {
      LOG.debug("the client has closed this connection", e);
    }
    close();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      if (message instanceof HttpRequest request) {
        begun = request;
        bodyBytes = 0;
      }
      HttpRequest request = begun;
      if (request != null && request.decoderResult().isFailure()) {
        take(request); // Netty drops the rest
      } else if (request != null && message instanceof HttpContent content) {
        takeBody(request, content);
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void takeBody(HttpRequest request, HttpContent content) {
    bodyBytes += content.content().readableBytes();
    if (content.decoderResult().isFailure()) {
      request.setDecoderResult(content.decoderResult());
    } else if (bodyBytes > MAX_BODY_BYTES) {
      request.setDecoderResult(DecoderResult.failure(new TooLongHttpContentException()));
    } else if (!(content instanceof LastHttpContent)) {
      return;
    }
    take(request);
  }

  private void take(HttpRequest request) {
    asked.add(request);
    begun = null;
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    if (turn == Turn.SILENT && asked.isEmpty()) {
      pass(Turn.ASKING);
    }
    if (turn == Turn.LEAVING) {
      asked.clear();
    }
    if (turn != Turn.SERVED && turn != Turn.TAKING) {
      goOn();
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      inputEnded = true;
      if (turn != Turn.SERVED && turn != Turn.TAKING) {
        goOn();
      }
    }
  }

  /** Serves the next request, or reads on. */
  private void goOn() {
    HttpRequest next = asked.poll();
    if (next != null) {
      pass(Turn.SERVED);
      serve(next);
    } else if (inputEnded) {
      close();
    } else {
      channel.read();
    }
  }

  private void serve(HttpRequest head) {
    WebRequest request = WebRequest.read(head, this);
    served = request;
    if (request == null) {
      return;
    }
    try {
      pages.accept(request);
    } catch (RejectedExecutionException e) {
      close(); // the server ends
    } catch (RuntimeException | Error e) {
      LOG.error("answering {} failed", request.path(), e);
      request.answerFailure();
    }
  }

  /** Sends a whole answer to the request that is served. For any thread. */
  void answer(FullHttpResponse response, boolean keepAlive) {
    if (!channel.eventLoop().inEventLoop()) {
      onLoop(() -> answer(response, keepAlive));
    } else if (turn == Turn.SERVED) {
      pass(Turn.TAKING);
      channel.writeAndFlush(response).addListener(sent -> taken(keepAlive, sent.isSuccess()));
    } else {
      response.release();
    }
  }

  private void taken(boolean keepAlive, boolean sent) {
    if (!sent) {
      close();
      return;
    }
    pass(keepAlive ? Turn.SILENT : Turn.LEAVING);
    if (!keepAlive) {
      asked.clear();
      var _ = channel.shutdownOutput();
    }
    goOn();
  }

  /** Sends a part of an answer without end. For any thread. */
  ChannelFuture send(HttpObject part) {
    return channel.writeAndFlush(part);
  }

  /** Hangs up if that request has got no answer. For any thread. */
  void abandon(WebRequest request) {
    onLoop(() -> {
      if (turn == Turn.SERVED && request.equals(served)) {
        close();
      }
    });
  }

  private void onLoop(Runnable task) {
    try {
      channel.eventLoop().execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("the listener has ended, and this connection with it", e);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (!(cause instanceof IOException)) {
      LOG.error("an HTTP connection failed", cause);
    }
    close();
  }
}
