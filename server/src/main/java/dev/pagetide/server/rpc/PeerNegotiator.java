package dev.pagetide.server.rpc;

import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.grpc.Attributes;
import io.grpc.ChannelLogger;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.ServerTransportFilter;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalNettyServerCredentials;
import io.grpc.netty.InternalProtocolNegotiationEvent;
import io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.ProtocolNegotiationEvent;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.PeerCredentials;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2LocalFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import java.io.IOException;

/**
 * Finds the {@link Peer} of a call. The kernel tells which process connected to a Unix socket; this
 * class asks once for each connection. It also gives each connection its {@link
 * OutboundBackpressure} and its {@link FrameGuard}.
 *
 * <p>gRPC has no public access to the socket of a call, so this class uses gRPC's internal classes.
 * No other class does.
 */
final class PeerNegotiator implements InternalProtocolNegotiator.ProtocolNegotiator {
  private static final Attributes.Key<Peer> PEER_ATTRIBUTE = Attributes.Key.create("pagetide-peer");
  private static final Attributes.Key<ConnectionStart> START_ATTRIBUTE =
      Attributes.Key.create("pagetide-connection-start");

  /** Only until HTTP/2 has begun. */
  private static final Attributes.Key<Http2ConnectionHandler> HANDLER_ATTRIBUTE =
      Attributes.Key.create("pagetide-http2");

  /**
   * Most bytes that a connection may send while no call takes them: several calls that the server
   * does not ask for their next message.
   */
  static final int WINDOW_BYTES = 256 * 1024;

  private static final Context.Key<Peer> PEER_CONTEXT = Context.key("pagetide-peer");
  private static final AsciiString HTTP = AsciiString.cached("http");

  private final CutOffObserver cutOffs;

  private PeerNegotiator(CutOffObserver cutOffs) {
    this.cutOffs = cutOffs;
  }

  /**
   * Credentials of a server that asks its clients for none, on a Unix socket or TCP, and that knows
   * the peers on a Unix socket.
   */
  static ServerCredentials credentials(CutOffObserver cutOffs) {
    return InternalNettyServerCredentials.create(new PeerNegotiator(cutOffs));
  }

  /** Puts the caller's peer into the context of every call. */
  static ServerInterceptor interceptor() {
    return new ServerInterceptor() {
      @Override
      public <Q, A> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        Context context = Context.current().withValue(PEER_CONTEXT, of(call));
        return Contexts.interceptCall(context, call, headers, next);
      }
    };
  }

  /** The caller of a call, whether or not {@link #interceptor} has seen it. */
  static Peer of(ServerCall<?, ?> call) {
    return of(call.getAttributes());
  }

  /** The process at the other end of a connection with these attributes. */
  static Peer of(Attributes connection) {
    Peer peer = connection.get(PEER_ATTRIBUTE);
    return peer == null ? Peer.TCP : peer;
  }

  /** The caller of the call for which this thread works. */
  static Peer caller() {
    Peer peer = PEER_CONTEXT.get();
    if (peer == null) {
      throw new AssertionError("a call without the peer interceptor");
    }
    return peer;
  }

  /** The process at the other end of a connection. */
  static Peer peer(Channel connection) throws IOException {
    if (connection instanceof EpollDomainSocketChannel socket) {
      PeerCredentials credentials = socket.peerCredentials();
      return Peer.unix(credentials.uid(), credentials.pid());
    }
    return Peer.TCP;
  }

  /** Tells each connection that HTTP/2 has begun on it. */
  static ServerTransportFilter starts() {
    return new ServerTransportFilter() {
      @Override
      public Attributes transportReady(Attributes attributes) {
        ConnectionStart start = attributes.get(START_ATTRIBUTE);
        if (start != null) {
          start.isOver();
        }
        Http2ConnectionHandler handler = attributes.get(HANDLER_ATTRIBUTE);
        if (handler != null) {
          widen(handler);
        }
        return attributes.toBuilder().discard(HANDLER_ATTRIBUTE).build();
      }
    };
  }

  /**
   * Gives a connection a window of its own. gRPC gives it that of one call; then a call whose
   * messages the server does not ask for would keep all others of the connection from being sent.
   */
  private static void widen(Http2ConnectionHandler handler) {
    try {
      Http2LocalFlowController windows = handler.connection().local().flowController();
      Http2Stream whole = handler.connection().connectionStream();
      windows.incrementWindowSize(whole, WINDOW_BYTES - windows.initialWindowSize(whole));
    } catch (Http2Exception e) {
      throw new AssertionError("a window that HTTP/2 does not allow", e);
    }
  }

  @Override
  public AsciiString scheme() {
    return HTTP;
  }

  @Override
  public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpcHandler) {
    ChannelLogger logger = grpcHandler.getNegotiationLogger();
    ChannelHandler last = InternalProtocolNegotiators.grpcNegotiationHandler(grpcHandler);
    Http2ConnectionDecoder decoder = grpcHandler.decoder();
    decoder.frameListener(new SmallPieces(decoder.frameListener()));
    return InternalProtocolNegotiators.waitUntilActiveHandler(
        new AddPeer(grpcHandler, last, cutOffs), logger);
  }

  @Override
  public void close() {}

  /**
   * The step of the negotiation that asks the kernel for the peer, and then leaves the pipeline.
   */
  private static final class AddPeer extends ChannelInboundHandlerAdapter {
    private final Http2ConnectionHandler handler;
    private final ChannelHandler next;
    private final CutOffObserver cutOffs;

    AddPeer(Http2ConnectionHandler handler, ChannelHandler next, CutOffObserver cutOffs) {
      this.handler = handler;
      this.next = next;
      this.cutOffs = cutOffs;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) throws IOException {
      Object passedOn = event;
      if (event instanceof ProtocolNegotiationEvent negotiation) {
        Peer peer = peer(context.channel());
        Attributes attributes =
            InternalProtocolNegotiationEvent.getAttributes(negotiation).toBuilder()
                .set(PEER_ATTRIBUTE, peer)
                .set(HANDLER_ATTRIBUTE, handler)
                .set(START_ATTRIBUTE, context.pipeline().get(ConnectionStart.class))
                .build();
        passedOn = InternalProtocolNegotiationEvent.withAttributes(negotiation, attributes);
        Reading reading = new Reading();
        context
            .pipeline()
            .addFirst(
                new OutboundBackpressure(peer, cutOffs, reading),
                new FrameGuard(peer, cutOffs, reading, PageClock.MONOTONIC));
        context.pipeline().replace(context.name(), null, next);
      }
      context.fireUserEventTriggered(passedOn);
    }
  }
}
