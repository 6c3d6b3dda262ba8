package dev.pagetide.server.rpc;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.metrics.Registries;
import dev.pagetide.server.metrics.RpcMeters;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.PageRangeServiceGrpc;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.StopUsingRangeRequest;
import dev.pagetide.v1.StopUsingRangeResponse;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.BindableService;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ServerInterceptor;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * What a warm UseRange + StopUsingRange costs over gRPC beside an echo of the same messages through
 * the same interceptors: at most 1.15 times its median; and beside itself without the meters of the
 * RPCs: no measurable difference is wanted.
 *
 * <p>A program and not a JMH benchmark, because they are interleaved call by call, so that whatever
 * else the machine does hits all. Sketch: a unary call on a Unix socket is some 70 us, a warm use
 * or stop 0.1 us; the difference is a token's look-up and the building of a span.
 */
public final class WarmCallComparison {
  private static final int WARM_UP_PAIRS = 20_000;
  private static final int MEASURED_PAIRS = 20_000;
  private static final long RANGE_BYTES = 1 << 20;
  private static final RequestConfig LIMITS =
      new RequestConfig(
          1 << 20,
          1024,
          64L << 20,
          Duration.ofSeconds(1),
          true,
          Duration.ofSeconds(10),
          Duration.ofMinutes(5));

  private WarmCallComparison() {}

  /** Answers at once with what a warm call is answered with. */
  private static final class Echo extends PageRangeServiceGrpc.PageRangeServiceImplBase {
    @Override
    public void useRange(UseRangeRequest request, StreamObserver<UseRangeResponse> observer) {
      UnaryCalls.begin(observer);
      UnaryCalls.answer(observer, UseRangeResponse.getDefaultInstance());
    }

    @Override
    public void stopUsingRange(
        StopUsingRangeRequest request, StreamObserver<StopUsingRangeResponse> observer) {
      UnaryCalls.begin(observer);
      UnaryCalls.answer(observer, StopUsingRangeResponse.getDefaultInstance());
    }
  }

  /** Runs the comparison and prints medians and their ratio. */
  public static void main(String[] args) throws Exception {
    Path directory = Files.createTempDirectory("pagetide-bench");
    PageBudget budget = PageBudget.root("--max-resident-bytes", 1L << 20);
    Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
    SessionRegistry sessions =
        new SessionRegistry(
            new SessionConfig(8, 8, 1L << 20, 1L << 20),
            new RangeConfig(PageFileMaker.MEMFD, RANGE_BYTES, 1),
            budget,
            shrinker,
            InstantSource.system());
    try (Workers workers = new Workers(2);
        Listeners real = listeners(realService(sessions, shrinker, workers), meters());
        Listeners bare = listeners(realService(sessions, shrinker, workers), List.of());
        Listeners echo = listeners(new Echo(), meters())) {
      Path realSocket = directory.resolve("real.sock");
      Path bareSocket = directory.resolve("bare.sock");
      Path echoSocket = directory.resolve("echo.sock");
      real.listenUnix(realSocket);
      bare.listenUnix(bareSocket);
      echo.listenUnix(echoSocket);
      compare(connect(realSocket), "an echo", connect(echoSocket));
      compare(connect(realSocket), "no meters", connect(bareSocket));
    }
    Files.deleteIfExists(directory.resolve("real.sock"));
    Files.deleteIfExists(directory.resolve("bare.sock"));
    Files.deleteIfExists(directory.resolve("echo.sock"));
    Files.delete(directory);
  }

  private static BindableService realService(
      SessionRegistry sessions, Shrinker shrinker, Workers workers) {
    return new PageRangeRpc(
        sessions,
        new SessionStreams(sessions, shrinker, workers, CutOffObserver.NONE),
        shrinker.allocationQueue(),
        workers,
        LIMITS.maxDataBytes(),
        LIMITS.allocationWait().toNanos(),
        1,
        Path.of("unused"));
  }

  private static List<ServerInterceptor> meters() {
    return List.of(RpcMeters.interceptor(Registries.prometheus()));
  }

  private static Listeners listeners(BindableService service, List<ServerInterceptor> meters) {
    return new Listeners(
        new EventLoops(),
        LIMITS,
        new ConnectionConfig(100, 100),
        CutOffObserver.NONE,
        meters,
        List.of(service));
  }

  private static ManagedChannel connect(Path socket) {
    return Grpc.newChannelBuilder("unix:" + socket, InsecureChannelCredentials.create())
        .directExecutor()
        .disableRetry()
        .build();
  }

  private static void compare(
      ManagedChannel realChannel, String beside, ManagedChannel otherChannel) {
    Iterator<OpenRangeResponse> session =
        PageRangeServiceGrpc.newBlockingStub(realChannel)
            .openRange(OpenRangeRequest.newBuilder().setSizeBytes(RANGE_BYTES).build());
    String token = session.next().getOpened().getSession();
    PageSpan span = PageSpan.newBuilder().setStartPage(0).setEndPage(1).build();
    UseRangeRequest use = UseRangeRequest.newBuilder().setSession(token).addPages(span).build();
    StopUsingRangeRequest stop =
        StopUsingRangeRequest.newBuilder().setSession(token).addPages(span).build();
    var real = PageRangeServiceGrpc.newBlockingStub(realChannel);
    var other = PageRangeServiceGrpc.newBlockingStub(otherChannel);
    long[] realNanos = new long[MEASURED_PAIRS];
    long[] otherNanos = new long[MEASURED_PAIRS];
    for (int pair = -WARM_UP_PAIRS; pair < MEASURED_PAIRS; pair++) {
      // Who goes first alternates, so that neither always finds the caches as the other left them.
      boolean realFirst = (pair & 1) == 0;
      long first = time(realFirst ? real : other, use, stop);
      long second = time(realFirst ? other : real, use, stop);
      if (pair >= 0) {
        realNanos[pair] = realFirst ? first : second;
        otherNanos[pair] = realFirst ? second : first;
      }
    }
    report(beside, realNanos, otherNanos);
    realChannel.shutdownNow();
    otherChannel.shutdownNow();
  }

  private static long time(
      PageRangeServiceGrpc.PageRangeServiceBlockingStub stub,
      UseRangeRequest use,
      StopUsingRangeRequest stop) {
    long start = System.nanoTime();
    UseRangeResponse used = stub.useRange(use);
    StopUsingRangeResponse stopped = stub.stopUsingRange(stop);
    long nanos = System.nanoTime() - start;
    if (used.getSerializedSize() + stopped.getSerializedSize() < 0) {
      throw new AssertionError("never: keeps the answers alive");
    }
    return nanos;
  }

  private static void report(String beside, long[] realNanos, long[] otherNanos) {
    Arrays.sort(realNanos);
    Arrays.sort(otherNanos);
    int middle = MEASURED_PAIRS / 2;
    int p99 = MEASURED_PAIRS * 99 / 100;
    System.out.printf(
        "use + stop over gRPC, %d interleaved pairs: p50 %.1f us, %s %.1f us, ratio %.3f;"
            + " p99 %.1f us and %.1f us%n",
        MEASURED_PAIRS,
        realNanos[middle] / 1e3,
        beside,
        otherNanos[middle] / 1e3,
        (double) realNanos[middle] / otherNanos[middle],
        realNanos[p99] / 1e3,
        otherNanos[p99] / 1e3);
  }
}
