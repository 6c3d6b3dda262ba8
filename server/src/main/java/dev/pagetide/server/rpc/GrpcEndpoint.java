package dev.pagetide.server.rpc;

import com.google.rpc.Code;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.net.LoopWatch;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.EndpointRegistry;
import dev.pagetide.server.transaction.TransactionObserver;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.ServerInterceptor;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The gRPC servers of one process: one on the Unix socket and, if configured, one on TCP. Both have
 * the same services.
 */
public final class GrpcEndpoint implements AutoCloseable {
  private final Workers workers;
  private final HealthStatusManager health = new HealthStatusManager();
  private final SessionRegistry sessions;
  private final SessionStreams streams;
  private final EndpointRegistry endpoints;
  private final EventLoops loops;
  private final Listeners listeners;

  /**
   * An endpoint that does not listen yet.
   *
   * @param budget the whole server's budget
   * @param transactions is notified of what happens to transactions
   * @param cutOffs is notified of clients that reach a limit
   * @param observers interceptors that observe every call: meters
   */
  public GrpcEndpoint(
      SessionRegistry sessions,
      Shrinker shrinker,
      PageBudget budget,
      EndpointConfig config,
      TransactionObserver transactions,
      CutOffObserver cutOffs,
      List<ServerInterceptor> observers) {
    this.workers = new Workers(Math.max(4, 2 * Runtime.getRuntime().availableProcessors()));
    this.sessions = sessions;
    this.streams = new SessionStreams(sessions, shrinker, workers, cutOffs);
    this.loops = new EventLoops();
    this.endpoints =
        new EndpointRegistry(
            config.transactions(),
            shrinker.clock(),
            workers.requests(),
            loops.soon(),
            workers.timer(),
            transactions);
    RequestConfig limits = config.requests();
    this.listeners =
        new Listeners(
            loops,
            limits,
            config.connections(),
            cutOffs,
            observers,
            List.of(
                new PageRangeRpc(
                    sessions,
                    streams,
                    shrinker.allocationQueue(),
                    workers,
                    limits.maxDataBytes(),
                    limits.allocationWait().toNanos(),
                    config.serverInstance(),
                    config.handoffSocket()),
                new TransactionRpc(sessions, endpoints, limits.maxDataBytes()),
                new ShrinkerRpc(sessions, shrinker, budget, workers, config.ownUid()),
                health.getHealthService(),
                ProtoReflectionServiceV1.newInstance()));
  }

  /** How many faults of its own the server has found in requests and in commands of Exchanges. */
  public static long faults() {
    return StatusMapper.faults();
  }

  /** Has its event loops watched. */
  public void watchedBy(LoopWatch watch) {
    loops.watchedBy(watch);
  }

  /** The endpoints of the sessions served, for meters. */
  public EndpointRegistry endpoints() {
    return endpoints;
  }

  /**
   * Listens on a Unix socket; the path must be free.
   *
   * @throws IOException if it cannot be bound
   */
  public void listenUnix(Path socket) throws IOException {
    listeners.listenUnix(socket);
  }

  /**
   * Listens on TCP, without encryption: for loopback.
   *
   * @return the port, chosen by the system if the address has port 0
   * @throws IOException if it cannot be bound
   */
  public int listenTcp(InetSocketAddress address) throws IOException {
    return listeners.listenTcp(address);
  }

  /** Tells health checks that every service serves. Called once everything has started. */
  public void declareServing() {
    setHealth(ServingStatus.SERVING);
  }

  private void setHealth(ServingStatus status) {
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
    health.setStatus(PageRangeServiceGrpc.SERVICE_NAME, status);
    health.setStatus(TransactionServiceGrpc.SERVICE_NAME, status);
    health.setStatus(ShrinkerServiceGrpc.SERVICE_NAME, status);
  }

  /**
   * Refuses to open sessions, notifies every session that the server is about to stop, waits for
   * them to end, then ends those that are left and stops listening. The server serves requests of
   * live sessions until then. Idempotent.
   *
   * @param wait how long sessions have to end by themselves
   */
  public void drain(Duration wait) {
    health.enterTerminalState();
    sessions.stopAdmitting();
    streams.announceDraining(wait);
    streams.awaitNone(wait);
    try {
      endpoints.endAll();
    } finally {
      try {
        streams.endAll(
            StatusMapper.status(
                Code.UNAVAILABLE,
                ErrorReason.ERROR_REASON_SERVER_STOPPING,
                "the server has stopped; connect again once it has been started"));
      } finally {
        listeners.shutdown();
      }
    }
  }

  /** Stops whatever is left at once. */
  @Override
  public void close() {
    listeners.endCalls();
    workers.close(); // before the event loops, on which they may still be answering
    listeners.close();
  }
}
