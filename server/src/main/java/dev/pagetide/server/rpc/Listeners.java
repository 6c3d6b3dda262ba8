package dev.pagetide.server.rpc;

import dev.pagetide.server.net.PassedDescriptors;
import dev.pagetide.server.session.CutOffObserver;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The sockets on which gRPC listens. Each channel type has a server of its own; all share event
 * loops, services and interceptors.
 */
final class Listeners implements AutoCloseable {
  private static final long PERMIT_PING_SECONDS = 1;

  /**
   * Most bytes that a call may send while the server does not ask for its next message. They lie
   * outside the heap. Without this, gRPC would let a client that is slow to answer pings have up to
   * 8 MiB. A request of a MiB fits through it in some steps.
   */
  private static final int CALL_WINDOW_BYTES = 64 * 1024;

  /**
   * When the kernel gives up a silent TCP peer: keepalive begins after 30 s, with 3 probes 10 s
   * apart.
   */
  private static final int KEEPIDLE_SECONDS = 30;

  private static final int KEEPINTVL_SECONDS = 10;
  private static final int KEEPCNT = 3;
  private static final int USER_TIMEOUT_MILLIS = 60_000;

  private final EventLoops loops;
  private final InFlight inFlight;
  private final List<ServerInterceptor> interceptors = new ArrayList<>();
  private final List<BindableService> services;
  private final RequestConfig limits;
  private final CutOffObserver cutOffs;
  private final ConnectionLimit connections;
  private final List<Server> servers = new ArrayList<>();

  /**
   * Listeners without a socket yet.
   *
   * @param loops ended with this
   * @param cutOffs is notified of clients that reach a limit
   * @param observers interceptors that observe every call, before it is refused or served
   */
  Listeners(
      EventLoops loops,
      RequestConfig limits,
      ConnectionConfig connections,
      CutOffObserver cutOffs,
      List<ServerInterceptor> observers,
      List<BindableService> services) {
    this.loops = loops;
    this.limits = limits;
    this.cutOffs = cutOffs;
    this.services = services;
    this.connections = new ConnectionLimit(connections, limits.requestWait(), cutOffs);
    long tickNanos = Math.max(1, limits.requestWait().toNanos() / ArrivingCalls.TICKS);
    this.inFlight =
        new InFlight(
            limits,
            cutOffs,
            loops.forEachLoop(loop ->
                new ArrivingCalls(tick -> {
                  var _ = loop.schedule(tick, tickNanos, TimeUnit.NANOSECONDS);
                })));
    // The last one added is the first to see a call.
    interceptors.add(inFlight.interceptor());
    interceptors.add(PeerNegotiator.interceptor());
    interceptors.addAll(observers);
  }

  /** Listens on a Unix socket, where the kernel tells each caller's uid and pid. */
  void listenUnix(Path socket) throws IOException {
    listen(
        new DomainSocketAddress(socket.toFile()),
        PeerNegotiator.credentials(cutOffs),
        EpollServerDomainSocketChannel::new);
  }

  /** Listens on TCP; returns the port. */
  int listenTcp(InetSocketAddress address) throws IOException {
    return listen(address, PeerNegotiator.credentials(cutOffs), EpollServerSocketChannel::new)
        .getPort();
  }

  private Server listen(
      SocketAddress address,
      ServerCredentials credentials,
      ChannelFactory<? extends ServerChannel> channels)
      throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(address, credentials)
            .channelFactory(connections.counting(channels))
            .bossEventLoopGroup(loops.acceptor())
            .workerEventLoopGroup(loops.connections())
            .directExecutor()
            .permitKeepAliveTime(PERMIT_PING_SECONDS, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            // FrameGuard counts the resets that arrive. This also counts those that a client
            // provokes, by frames that are wrong.
            .maxRstFramesPerWindow(2 * FrameCounts.MOST_RESETS, FrameCounts.WINDOW_SECONDS)
            .maxInboundMessageSize(limits.maxDataBytes() + RequestConfig.RECEIVED_OVERHEAD_BYTES)
            .flowControlWindow(CALL_WINDOW_BYTES)
            // A session's stream keeps its connection from being idle, as every call does; pings
            // do not.
            .maxConnectionIdle(limits.idleWait().toMillis(), TimeUnit.MILLISECONDS)
            .addStreamTracerFactory(inFlight)
            .addStreamTracerFactory(ArrivingMessage.tracers())
            .addTransportFilter(PeerNegotiator.starts())
            .addTransportFilter(inFlight.connections());
    if (address instanceof DomainSocketAddress) {
      PassedDescriptors.refuse(builder::withOption);
    }
    if (address instanceof InetSocketAddress) {
      // Keepalive finds a host that is gone. The kernel of a paused client still answers.
      builder
          .withChildOption(ChannelOption.SO_KEEPALIVE, true)
          .withChildOption(EpollChannelOption.TCP_KEEPIDLE, KEEPIDLE_SECONDS)
          .withChildOption(EpollChannelOption.TCP_KEEPINTVL, KEEPINTVL_SECONDS)
          .withChildOption(EpollChannelOption.TCP_KEEPCNT, KEEPCNT)
          .withChildOption(EpollChannelOption.TCP_USER_TIMEOUT, USER_TIMEOUT_MILLIS);
    }
    interceptors.forEach(builder::intercept);
    services.forEach(service -> builder.addService(MalformedMessages.refusedBy(service)));
    Server server = builder.build().start();
    servers.add(server);
    return server;
  }

  /** Accepts no new connection and no new call; calls under way go on. */
  void shutdown() {
    servers.forEach(Server::shutdown);
  }

  /** Ends every call that is left. A thread may still answer one; the answer is dropped. */
  void endCalls() {
    shutdown();
    servers.forEach(Listeners::awaitTermination);
  }

  /** Stops whatever is left. No thread may be about to answer a call any more. */
  @Override
  public void close() {
    endCalls();
    loops.close();
  }

  private static void awaitTermination(Server server) {
    try {
      if (!server.awaitTermination(1, TimeUnit.SECONDS)) {
        server.shutdownNow();
        server.awaitTermination(1, TimeUnit.SECONDS);
      }
    } catch (InterruptedException e) {
      server.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
