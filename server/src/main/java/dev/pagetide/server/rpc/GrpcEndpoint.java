package dev.pagetide.server.rpc;

import com.google.rpc.Code;
import dev.pagetide.server.page.PageBudget;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import io.grpc.BindableService;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The gRPC servers of one process: one on the Unix socket, one on TCP where asked for, with the
 * same services behind them.
 */
public final class GrpcEndpoint implements AutoCloseable {
  private static final long PERMIT_PING_SECONDS = 1;

  /**
   * How long an unanswered TCP peer is believed in: kernel keepalive after 30 s, 3 probes of 10 s.
   */
  private static final int KEEPIDLE_SECONDS = 30;

  private static final int KEEPINTVL_SECONDS = 10;
  private static final int KEEPCNT = 3;
  private static final int USER_TIMEOUT_MILLIS = 60_000;

  private final EventLoopGroup acceptor;
  private final EventLoopGroup loops;
  private final Workers workers;
  private final HealthStatusManager health = new HealthStatusManager();
  private final SessionRegistry sessions;
  private final SessionStreams streams;
  private final InFlight inFlight;
  private final List<ServerInterceptor> interceptors;
  private final List<BindableService> services;
  private final RequestLimits limits;
  private final List<Server> servers = new ArrayList<>();

  /**
   * An endpoint that does not listen yet.
   *
   * @param budget the whole server's budget
   * @param ownUid the server's own user, who may ask for ShrinkerService beside root
   * @param serverInstance this run of the server
   * @param observers interceptors that look at every call: meters
   */
  public GrpcEndpoint(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      RequestLimits limits,
      int ownUid,
      long serverInstance,
      List<ServerInterceptor> observers) {
    int cores = Runtime.getRuntime().availableProcessors();
    this.acceptor = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    this.loops = new MultiThreadIoEventLoopGroup(cores, EpollIoHandler.newFactory());
    this.workers = new Workers(Math.max(4, 2 * cores));
    this.sessions = sessions;
    this.limits = limits;
    this.streams = new SessionStreams(sessions, workers);
    this.inFlight =
        new InFlight(limits, PageRangeServiceGrpc.getOpenRangeMethod().getFullMethodName());
    // The last one added is the first to see a call.
    this.interceptors = new ArrayList<>();
    interceptors.add(inFlight.interceptor());
    interceptors.add(PeerNegotiator.interceptor());
    interceptors.addAll(observers);
    this.services =
        List.of(
            new PageRangeRpc(sessions, streams, workers, limits.maxDataBytes(), serverInstance),
            new ShrinkerRpc(sessions, shrinker, budget, workers, ownUid),
            health.getHealthService(),
            ProtoReflectionServiceV1.newInstance());
  }

  /**
   * Listens on a Unix socket; the path must be free.
   *
   * @throws IOException if it cannot be bound
   */
  public void listenUnix(Path socket) throws IOException {
    listen(
        new DomainSocketAddress(socket.toFile()),
        PeerNegotiator.credentials(),
        EpollServerDomainSocketChannel.class);
  }

  /**
   * Listens on TCP, without encryption: for loopback.
   *
   * @return the port, chosen by the system if the address has port 0
   * @throws IOException if it cannot be bound
   */
  public int listenTcp(InetSocketAddress address) throws IOException {
    return listen(address, InsecureServerCredentials.create(), EpollServerSocketChannel.class)
        .getPort();
  }

  private Server listen(
      SocketAddress address, ServerCredentials credentials, Class<? extends ServerChannel> channel)
      throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(address, credentials)
            .channelType(channel)
            .bossEventLoopGroup(acceptor)
            .workerEventLoopGroup(loops)
            .directExecutor()
            .permitKeepAliveTime(PERMIT_PING_SECONDS, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .maxInboundMessageSize(limits.maxDataBytes() + RequestLimits.MESSAGE_OVERHEAD_BYTES)
            .addStreamTracerFactory(inFlight)
            .addTransportFilter(inFlight.connections());
    if (address instanceof InetSocketAddress) {
      // A vanished host is noticed by its kernel's silence, not by a paused client's.
      builder
          .withChildOption(ChannelOption.SO_KEEPALIVE, true)
          .withChildOption(EpollChannelOption.TCP_KEEPIDLE, KEEPIDLE_SECONDS)
          .withChildOption(EpollChannelOption.TCP_KEEPINTVL, KEEPINTVL_SECONDS)
          .withChildOption(EpollChannelOption.TCP_KEEPCNT, KEEPCNT)
          .withChildOption(EpollChannelOption.TCP_USER_TIMEOUT, USER_TIMEOUT_MILLIS);
    }
    interceptors.forEach(builder::intercept);
    services.forEach(builder::addService);
    Server server = builder.build().start();
    servers.add(server);
    return server;
  }

  /** Says to health checks that every service serves. Called once everything is up. */
  public void declareServing() {
    setHealth(ServingStatus.SERVING);
  }

  private void setHealth(ServingStatus status) {
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
    health.setStatus(PageRangeServiceGrpc.SERVICE_NAME, status);
    health.setStatus(ShrinkerServiceGrpc.SERVICE_NAME, status);
  }

  /**
   * Opens no session any more, tells every session that the server is about to stop, waits for them
   * to end, then ends those that are left and stops listening. Requests of live sessions are served
   * until then. Idempotent.
   *
   * @param wait how long sessions have to end by themselves
   */
  public void drain(Duration wait) {
    health.enterTerminalState();
    sessions.stopAdmitting();
    streams.announceDraining(wait);
    streams.awaitNone(wait);
    streams.endAll(
        Statuses.status(
            Code.UNAVAILABLE,
            ErrorReason.ERROR_REASON_SERVER_STOPPING,
            "the server has stopped; connect again once it has been started"));
    servers.forEach(Server::shutdown);
  }

  /** Stops at once whatever is left. */
  @Override
  public void close() {
    servers.forEach(Server::shutdown);
    for (Server server : servers) {
      awaitTermination(server);
    }
    workers.close();
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    acceptor.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
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
