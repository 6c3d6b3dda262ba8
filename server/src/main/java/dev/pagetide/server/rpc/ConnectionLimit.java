package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ServerChannel;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The limit on connections to all gRPC servers of one process, and on those of one uid.
 *
 * <p>A connection above the limit is told why and closed soon, or closed at once if many are. No
 * event loop that serves connections knows of it. Thread-safe.
 */
/*
 * The check is a handler of the listening channel, in front of Netty's own, which would give the
 * accepted connection to an event loop. There is no public place for it in gRPC, but a channel
 * factory may give a listening channel whose pipeline has a handler.
 *
 * If the process has no descriptor left nevertheless, accept fails. Then Netty's handler stops
 * accepting for a second, and connections that are there are served meanwhile.
 */
final class ConnectionLimit {
  private static final Logger LOG = LoggerFactory.getLogger(ConnectionLimit.class);
  private static final String LIMIT = "--max-connections";

  /**
   * Refused connections of one listener that may stay for a moment. If the server closed such a
   * connection while its client still sends, the client would find EPIPE, and not the reason.
   */
  private static final int MAX_LINGERING = 16;

  private static final long LINGER_MILLIS = 1000;

  private final ConnectionConfig limits;
  private final Duration requestWait;
  private final CutOffObserver cutOffs;
  private final Farewell farewell;

  /** LOCKS: a leaf. */
  @GuardedBy("this")
  private final Map<Integer, Integer> byUid = new HashMap<>();

  @GuardedBy("this")
  private int connections;

  /**
   * A limit with no connection.
   *
   * @param requestWait how long a connection may take until HTTP/2 begins on it
   * @param cutOffs is notified of each connection that is closed
   */
  ConnectionLimit(ConnectionConfig limits, Duration requestWait, CutOffObserver cutOffs) {
    this.limits = limits;
    this.requestWait = requestWait;
    this.cutOffs = cutOffs;
    this.farewell =
        new Farewell(
            String.format(
                Locale.ROOT,
                "the server has as many connections as %s=%d admits, %d of them for one uid;"
                    + " close some, or raise that option",
                LIMIT,
                limits.max(),
                limits.maxPerUid()));
  }

  /** Makes listening channels whose connections count. */
  ChannelFactory<ServerChannel> counting(ChannelFactory<? extends ServerChannel> listening) {
    return () -> {
      ServerChannel channel = listening.newChannel();
      channel.pipeline().addLast(new Accepting());
      return channel;
    };
  }

  /** Takes a place for a connection. {@link #leave} gives it back. */
  synchronized boolean enter(int uid) {
    int ofUid = byUid.getOrDefault(uid, 0);
    if (connections >= limits.max() || ofUid >= limits.maxPerUid()) {
      return false;
    }
    byUid.put(uid, ofUid + 1); // before the other count, because that cannot fail
    connections++;
    return true;
  }

  synchronized void leave(int uid) {
    connections--;
    byUid.computeIfPresent(uid, (_, count) -> count == 1 ? null : count - 1);
  }

  /** How many uids have connections, for tests. */
  synchronized int users() {
    return byUid.size();
  }

  /** Sees each connection once it is accepted, and before anything else does. */
  private final class Accepting extends ChannelInboundHandlerAdapter {
    /** Confined to the loop that accepts. */
    private int lingering;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      Channel accepted = (Channel) message;
      Peer peer = peer(accepted);
      if (peer == null) {
        accepted.unsafe().closeForcibly();
      } else if (enter(peer.uid())) {
        accepted.closeFuture().addListener(_ -> leave(peer.uid()));
        accepted.pipeline().addLast(new ConnectionStart(peer, requestWait, cutOffs));
        context.fireChannelRead(accepted);
      } else {
        refuse(context, accepted);
        cutOffs.cutOff(peer, LIMIT, farewell.why());
      }
    }

    private void refuse(ChannelHandlerContext context, Channel accepted) {
      if (lingering == MAX_LINGERING) {
        accepted.unsafe().closeForcibly();
        return;
      }
      lingering++;
      farewell.say(accepted);
      var _ =
          context
              .executor()
              .schedule(
                  () -> {
                    lingering--;
                    accepted.unsafe().closeForcibly();
                  },
                  LINGER_MILLIS,
                  TimeUnit.MILLISECONDS);
    }

    /** Null if the kernel does not tell, because then the connection cannot be counted. */
    private static @Nullable Peer peer(Channel accepted) {
      try {
        return PeerNegotiator.peer(accepted);
      } catch (IOException e) {
        return null;
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      LOG.warn("no connection can be accepted: {}", cause.getMessage());
      if (context.pipeline().get(AfterNetty.class) == null) {
        context.pipeline().addLast(new AfterNetty());
      }
      context.fireExceptionCaught(cause);
    }
  }

  /** Comes after Netty's handler, which by then has stopped accepting for a second. */
  private static final class AfterNetty extends ChannelInboundHandlerAdapter {
    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // It is logged already. Without this, Netty would log it with its stack trace.
    }
  }
}
