package dev.pagetide.server;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.config.ServerOptions;
import dev.pagetide.server.directory.MapKeyFile;
import dev.pagetide.server.directory.ServerDirectory;
import dev.pagetide.server.handoff.HandoffServer;
import dev.pagetide.server.host.CgroupHeadroom;
import dev.pagetide.server.host.CgroupMemory;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.metrics.BuildMeters;
import dev.pagetide.server.metrics.CutOffLog;
import dev.pagetide.server.metrics.CutOffMeters;
import dev.pagetide.server.metrics.EventMeters;
import dev.pagetide.server.metrics.FaultMeters;
import dev.pagetide.server.metrics.LogTimer;
import dev.pagetide.server.metrics.LoopMeters;
import dev.pagetide.server.metrics.MetricsEndpoint;
import dev.pagetide.server.metrics.PressureLog;
import dev.pagetide.server.metrics.PressureMeters;
import dev.pagetide.server.metrics.Registries;
import dev.pagetide.server.metrics.RpcMeters;
import dev.pagetide.server.metrics.ShortageLog;
import dev.pagetide.server.metrics.TransactionMeters;
import dev.pagetide.server.net.LoopWatch;
import dev.pagetide.server.net.PassedDescriptors;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.BackgroundReclaim;
import dev.pagetide.server.page.HugePages;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.pressure.PressureConfig;
import dev.pagetide.server.pressure.PressureLevels;
import dev.pagetide.server.pressure.PressureMode;
import dev.pagetide.server.pressure.PressureMonitor;
import dev.pagetide.server.pressure.PressureObserver;
import dev.pagetide.server.pressure.ReclaimablePages;
import dev.pagetide.server.rpc.ConnectionConfig;
import dev.pagetide.server.rpc.EndpointConfig;
import dev.pagetide.server.rpc.GrpcEndpoint;
import dev.pagetide.server.rpc.RequestConfig;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.web.HttpFront;
import dev.pagetide.server.web.TideMap;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One server, from its options to its end. It is the only class that knows every part, and it
 * connects the parts.
 *
 * <p>Thread-safe. {@link #drain} and {@link #close} may each be called more than once.
 */
final class RunningServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RunningServer.class);

  /** Where this host's {@code proc} and {@code sys} are mounted. */
  private static final Path HOST_ROOT = Path.of("/");

  private final Duration drainWait;
  private final CountDownLatch ended = new CountDownLatch(1);

  /** The parts that have to be closed, the last one opened first. */
  private final Deque<AutoCloseable> opened = new ArrayDeque<>();

  private @Nullable ServerDirectory directory;
  private @Nullable Core core;
  private @Nullable GrpcEndpoint grpc;
  private @Nullable HttpFront http;

  /**
   * The TCP address on which it listens; the port is the system's choice if the options name none.
   */
  private @Nullable InetSocketAddress tcp;

  /** Whether sessions can be opened; {@code /ready} reports this. */
  private volatile boolean serving;

  /** The parts that all sessions of a server share. */
  record Core(PageBudget budget, Shrinker shrinker, SessionRegistry sessions) {}

  private RunningServer(ServerOptions options) {
    this.drainWait = options.sessions().drainWait();
  }

  /**
   * Starts all parts. When it returns, clients can connect.
   *
   * @throws StartupException if a part cannot start; then no part is left running
   */
  static RunningServer start(ServerOptions options) throws StartupException {
    return start(options, PageFileMaker.MEMFD);
  }

  /** As {@link #start(ServerOptions)}, but a test can give files that fail. */
  static RunningServer start(ServerOptions options, PageFileMaker files) throws StartupException {
    RunningServer server = new RunningServer(options);
    boolean started = false;
    try {
      server.open(options, files);
      started = true;
      return server;
    } finally {
      if (!started) {
        server.close();
      }
    }
  }

  private void open(ServerOptions options, PageFileMaker files) throws StartupException {
    SharedMemoryProbe.check();
    ServerOptions.Reach reach = options.reach();
    ServerDirectory served =
        ServerDirectory.open(reach.directory(), reach.socketMode(), reach.socketGroup());
    directory = served;
    opened.push(served);

    int pageSize = Memfd.systemPageSize();
    PrometheusMeterRegistry registry = Registries.prometheus();
    opened.push(registry::close);
    BuildMeters.bind(registry, BuildVersion.text());
    EventMeters meters = new EventMeters(registry);
    LogTimer logTimer = new LogTimer();
    opened.push(logTimer);
    CgroupMemory groups = openGroups();
    PageBudget budget =
        PageBudget.root("--max-resident-bytes", options.memory().budgetBytes() / pageSize);
    FaultMeters faults = new FaultMeters(registry, GrpcEndpoint::faults);
    Shrinker shrinker = startShrinker(options, groups, budget, meters, faults, logTimer);
    long serverInstance = newInstance();
    SessionRegistry sessions =
        new SessionRegistry(
            new SessionConfig(
                options.sessions().max(),
                options.sessions().maxPerUid(),
                options.memory().bytesPerUid() / pageSize,
                options.memory().bytesPerSession() / pageSize),
            new RangeConfig(files, options.memory().rangeBytes(), serverInstance),
            budget,
            shrinker,
            InstantSource.system());
    core = new Core(budget, shrinker, sessions);
    PressureLevels levels = null;
    if (options.pressure() != PressureMode.OFF) {
      levels = new PressureLevels();
      startPressure(options, groups, shrinker, registry, levels);
    }
    meters.bind(shrinker, budget, sessions, pageSize);

    CutOffLog cutOffLog = new CutOffLog(logTimer);
    opened.push(cutOffLog);
    CutOffObserver cutOffs = CutOffObserver.both(new CutOffMeters(registry), cutOffLog);
    TransactionMeters transactions = new TransactionMeters(registry);
    GrpcEndpoint endpoint =
        new GrpcEndpoint(
            sessions,
            shrinker,
            budget,
            endpointConfig(options, serverInstance, served.handoffSocket()),
            transactions,
            cutOffs,
            List.of(RpcMeters.interceptor(registry)));
    grpc = endpoint;
    opened.push(endpoint);
    transactions.bind(endpoint.endpoints());
    HandoffServer handoffs = new HandoffServer(sessions, options.handoffs(), meters, cutOffs);
    opened.push(handoffs);
    LoopWatch watch = LoopWatch.start();
    opened.push(watch);
    endpoint.watchedBy(watch);
    handoffs.watchedBy(watch);
    LoopMeters.bind(registry, watch::longestStallSeconds);
    Runnable beforeScrape =
        () -> {
          meters.refresh();
          transactions.refresh();
        };
    InetSocketAddress address = reach.http();
    if (address != null) {
      TideMap map =
          new TideMap(
              MapKeyFile.keyIn(reach.directory()),
              serverInstance,
              pageSize,
              sessions,
              shrinker,
              budget,
              levels == null ? null : levels::byName);
      MetricsEndpoint metrics = new MetricsEndpoint(registry, beforeScrape);
      HttpFront front =
          Binding.http(address, reach.httpWait(), metrics, map, () -> serving, cutOffs);
      opened.push(front);
      http = front;
    }
    PassedDescriptors.problem().ifPresent(LOG::warn);
    tcp = Binding.tcp(reach.listen(), endpoint);
    // The hand-off socket comes first, because sessions are told of it, and the other one opens
    // sessions.
    Binding.unix(served.handoffSocket(), handoffs::listen);
    Binding.unix(served.grpcSocket(), endpoint::listenUnix);
    served.admitClients();
    endpoint.declareServing();
    serving = true;
  }

  private static EndpointConfig endpointConfig(
      ServerOptions options, long serverInstance, Path handoffSocket) throws StartupException {
    return new EndpointConfig(
        new RequestConfig(
            options.requests().maxDataBytes(),
            options.requests().maxInFlight(),
            options.requests().maxBytesInFlight(),
            options.memory().allocationWait(),
            options.requests().oneUid(),
            options.requests().requestWait(),
            options.requests().idleWait()),
        new ConnectionConfig(options.connections().max(), options.connections().maxPerUid()),
        options.transactions(),
        HostLimits.ownUid(),
        serverInstance,
        handoffSocket);
  }

  private Shrinker startShrinker(
      ServerOptions options,
      CgroupMemory groups,
      PageBudget budget,
      EventMeters meters,
      FaultMeters faults,
      LogTimer logTimer) {
    Shrinker shrinker =
        new Shrinker(
            budget,
            PageClock.MONOTONIC,
            PageObserver.all(meters, new ShortageLog(logTimer)),
            reclaimConfig(options, headroom(options, groups)),
            new HugePages(HugePages.SETTINGS, PageClock.MONOTONIC, RunningServer::tellHugePages));
    opened.push(
        BackgroundReclaim.start(
            shrinker,
            e -> {
              faults.inReclaim();
              LOG.error("reclaiming in the background failed", e);
            }));
    return shrinker;
  }

  private static void tellHugePages(@Nullable Path by) {
    if (by != null) {
      LOG.warn(
          "huge pages are forced on shared memory now: each page that the server gives can cost"
              + " hundreds, until the next audit takes them back; such pages count as"
              + " pagetide_strays_host_total; write never or advise to {}",
          by);
    } else {
      LOG.info("huge pages are no longer forced on shared memory");
    }
  }

  private CgroupMemory openGroups() throws StartupException {
    try {
      CgroupMemory groups = CgroupMemory.open(HOST_ROOT, PageClock.MONOTONIC);
      opened.push(groups);
      return groups;
    } catch (IOException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "the memory of this process's control groups cannot be read (%s); mount"
                  + " /sys/fs/cgroup",
              e.getMessage()),
          e);
    }
  }

  /** When memory is reclaimed ahead of need, and how much the control group leaves. */
  static ReclaimConfig reclaimConfig(ServerOptions options, HostHeadroom headroom) {
    int pageSize = Memfd.systemPageSize();
    return new ReclaimConfig(
        options.reclaim().lowWatermarkBytes() / pageSize,
        options.reclaim().highWatermarkBytes() / pageSize,
        options.reclaim().protectRecent().toNanos(),
        headroom);
  }

  /** The headroom below the control groups' limits. */
  static HostHeadroom headroom(ServerOptions options, CgroupMemory groups) {
    return new CgroupHeadroom(
        groups,
        options.memory().reserveBytes(),
        Memfd.systemPageSize(),
        options.memory().rangeBytes());
  }

  private void startPressure(
      ServerOptions options,
      CgroupMemory groups,
      Shrinker shrinker,
      PrometheusMeterRegistry registry,
      PressureLevels levels)
      throws StartupException {
    PressureMeters meters = new PressureMeters(registry, levels);
    PressureConfig config =
        new PressureConfig(
            HOST_ROOT,
            groups,
            options.memory().reserveBytes(),
            Memfd.systemPageSize(),
            options.pressure() == PressureMode.DRY_RUN);
    try {
      PressureMonitor monitor =
          PressureMonitor.start(
              config,
              ReclaimablePages.of(shrinker),
              PageClock.MONOTONIC,
              PressureObserver.both(levels, PressureObserver.both(meters, new PressureLog())));
      opened.push(monitor);
      meters.bind(monitor.missing().keySet());
      PressureLog.tellMissing(monitor.missing());
    } catch (SystemCallException e) {
      throw new StartupException(
          String.format(
              Locale.ROOT,
              "the host's memory pressure cannot be listened to (%s); raise ulimit -n, or give "
                  + "--pressure=off",
              e.getMessage()),
          e);
    }
  }

  private static long newInstance() {
    SecureRandom random = new SecureRandom();
    long instance = random.nextLong();
    while (instance == 0) {
      instance = random.nextLong();
    }
    return instance;
  }

  /** The parts that hold and reclaim the memory, for tests. */
  Core core() {
    Core parts = core;
    if (parts == null) {
      throw new IllegalStateException("not started");
    }
    return parts;
  }

  /** Where clients on this host connect: {@code unix:DIR/grpc.sock}. */
  String grpcTarget() {
    ServerDirectory served = directory;
    if (served == null) {
      throw new IllegalStateException("not started");
    }
    return "unix:" + served.grpcSocket();
  }

  /** The TCP address to which clients connect; null if they cannot. */
  @Nullable InetSocketAddress tcp() {
    return tcp;
  }

  /** The server of {@code /metrics} and the tide map; null if there is none. */
  @Nullable HttpFront http() {
    return http;
  }

  /**
   * Tells the sessions that the server stops, waits for them as long as the options say, and ends
   * those that are left.
   *
   * @param why the reason for the stop, for the log
   */
  void drain(String why) {
    serving = false;
    GrpcEndpoint endpoint = grpc;
    Core parts = core;
    if (endpoint == null || parts == null) {
      return;
    }
    SessionRegistry sessions = parts.sessions();
    long start = System.nanoTime();
    LOG.info(
        "stopping: {} sessions={} drain_wait={}ms", why, sessions.size(), drainWait.toMillis());
    endpoint.drain(drainWait);
    LOG.info(
        "stopped: {} sessions_ended_by_server={} sessions_left={} in {}ms",
        why,
        sessions.endedFor(EndReason.STOPPED),
        sessions.size(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
  }

  /** Waits until {@link #close} has been called. */
  void awaitEnd() {
    boolean interrupted = false;
    while (true) {
      try {
        ended.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Closes every part, the last one opened first. A part that fails does not keep the others from
   * being closed.
   */
  @Override
  public synchronized void close() {
    while (!opened.isEmpty()) {
      AutoCloseable part = opened.pop();
      try {
        part.close();
      } catch (Exception e) {
        LOG.error("closing {} failed", part, e);
      }
    }
    ended.countDown();
  }
}
