package dev.pagetide.server.handoff;

import dev.pagetide.server.net.LoopWatch;
import dev.pagetide.server.net.PassedDescriptors;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.HandoffStatus;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The listener that passes the descriptor of each session's shared file to the process that opened
 * the session.
 *
 * <p>All of it runs on one thread of its own, because a hand-off is one look-up and three system
 * calls, and no RPC waits for it.
 */
public final class HandoffServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HandoffServer.class);

  /** Connections that may wait to be accepted. A further connect waits, or fails with EAGAIN. */
  private static final int BACKLOG = 128;

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("pagetide-handoff", true), EpollIoHandler.newFactory());
  private final ChannelGroup channels = new DefaultChannelGroup(loop.next(), true);
  private final ServerBootstrap bootstrap;

  /** A server that does not listen yet. */
  public HandoffServer(
      SessionRegistry sessions,
      HandoffConfig limits,
      HandoffObserver observer,
      CutOffObserver cutOffs) {
    HandoffSlots slots = new HandoffSlots(limits);
    this.bootstrap =
        new ServerBootstrap()
            .group(loop)
            .channel(EpollServerDomainSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            // A client that has sent its whole request may close its sending half and wait.
            .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
            // One byte more than the longest request: a connection takes no more memory than that.
            .childOption(
                ChannelOption.RECVBUF_ALLOCATOR,
                new FixedRecvByteBufAllocator(HandoffStatus.MAX_TOKEN_BYTES + 2))
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channels.add(channel);
                    channel
                        .pipeline()
                        .addLast(new HandoffConnection(sessions, limits, slots, observer, cutOffs));
                  }
                });
    PassedDescriptors.refuse(bootstrap::option);
  }

  /**
   * Listens; the path must be free. Called once.
   *
   * @throws IOException if it cannot be bound
   */
  public void listen(Path socket) throws IOException {
    var bound = bootstrap.bind(new DomainSocketAddress(socket.toFile())).awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException(String.valueOf(bound.cause().getMessage()), bound.cause());
    }
    channels.add(bound.channel());
    bound.channel().pipeline().addLast(new AcceptFailures());
  }

  /** Has its event loop watched. */
  public void watchedBy(LoopWatch watch) {
    watch.watch(loop);
  }

  /** Stops accepting and closes every connection. Idempotent. */
  @Override
  public void close() {
    channels.close().awaitUninterruptibly();
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }

  /** Comes after Netty's acceptor, which by then has stopped accepting for a second. */
  private static final class AcceptFailures extends ChannelInboundHandlerAdapter {
    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      LOG.warn("no connection to the hand-off socket can be accepted: {}", cause.getMessage());
    }
  }
}
