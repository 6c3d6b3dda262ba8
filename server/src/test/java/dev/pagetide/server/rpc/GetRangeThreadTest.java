package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.TransactRule;
import dev.pagetide.server.transaction.TransactionConfig;
import dev.pagetide.server.transaction.TransactionObserver;
import dev.pagetide.v1.GetRangeRequest;
import dev.pagetide.v1.GetRangeResponse;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.PageState;
import dev.pagetide.v1.StateRun;
import dev.pagetide.v1.StopUsingRangeResponse;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * Which thread looks at many pages. GetRange's walk through a large range keeps no event loop. Warm
 * uses and stops stay on the event loop, because they are done in the order of their connection.
 */
final class GetRangeThreadTest {
  private static final int SMALL_PAGES = 64;
  private static final int LARGE_PAGES = 4096;
  private static final String WORKER = "pagetide-request-";

  private final Queue<Answer> answers = new ConcurrentLinkedQueue<>();

  private record Answer(Class<?> message, String thread) {}

  /** Notes the threads that send answers. */
  private final class Noting implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      return next.startCall(
          new SimpleForwardingServerCall<>(call) {
            @Override
            public void sendMessage(A message) {
              answers.add(new Answer(message.getClass(), Thread.currentThread().getName()));
              super.sendMessage(message);
            }
          },
          headers);
    }
  }

  private GrpcEndpoint endpoint(Path directory) {
    PageBudget budget = PageBudget.root("--max-resident-bytes", 100_000);
    Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
    SessionRegistry sessions =
        new SessionRegistry(
            new SessionConfig(10, 10, 100_000, 100_000),
            new RangeConfig(PageFileMaker.MEMFD, 1L << 30, 1),
            budget,
            shrinker,
            InstantSource.system());
    EndpointConfig config =
        new EndpointConfig(
            new RequestConfig(
                1 << 20,
                100,
                1L << 30,
                Duration.ZERO,
                true,
                Duration.ofSeconds(10),
                Duration.ofMinutes(5)),
            new ConnectionConfig(10, 10),
            new TransactionConfig(16, 16, 0, TransactRule.OWN),
            0,
            1,
            directory.resolve("handoff.sock"));
    return new GrpcEndpoint(
        sessions,
        shrinker,
        budget,
        config,
        TransactionObserver.NONE,
        CutOffObserver.NONE,
        List.of(new Noting()));
  }

  private static PageSpan pages(int startPage, int endPage) {
    return PageSpan.newBuilder().setStartPage(startPage).setEndPage(endPage).build();
  }

  private static StateRun run(PageState state, int startPage, int endPage) {
    return StateRun.newBuilder().setState(state).setPages(pages(startPage, endPage)).build();
  }

  /** The threads that have sent the answers of one kind, first to last. */
  private List<String> answeredBy(Class<?> message) {
    return answers.stream()
        .filter(answer -> answer.message() == message)
        .map(Answer::thread)
        .toList();
  }

  private void withServer(Consumer<ManagedChannel> test) throws IOException {
    Path directory = Files.createTempDirectory(Path.of("/tmp"), "pagetide-test");
    Path socket = directory.resolve("grpc.sock");
    try (GrpcEndpoint endpoint = endpoint(directory)) {
      endpoint.listenUnix(socket);
      ManagedChannel channel =
          Grpc.newChannelBuilder("unix:" + socket, InsecureChannelCredentials.create()).build();
      try {
        test.accept(channel);
      } finally {
        channel.shutdownNow();
      }
    } finally {
      Files.deleteIfExists(socket);
      Files.deleteIfExists(directory);
    }
  }

  @Test
  void getRange_ofALargeRange_isAnsweredByAWorkerAndOfASmallOneAtOnce() throws IOException {
    withServer(channel -> {
      RawSession small = RawSession.open(channel, SMALL_PAGES);
      int _ = small.use(1, 3).size();
      assertThat(small.range().getRunsList())
          .containsExactly(
              run(PageState.PAGE_STATE_FREE, 0, 1),
              run(PageState.PAGE_STATE_USED, 1, 3),
              run(PageState.PAGE_STATE_FREE, 3, SMALL_PAGES));
      assertThat(answeredBy(GetRangeResponse.class))
          .singleElement()
          .asString()
          .doesNotStartWith(WORKER);

      RawSession large = RawSession.open(channel, LARGE_PAGES);
      int _ = large.use(100, 200).size();
      GetRangeResponse whole = large.range();
      GetRangeResponse part =
          large
              .stub()
              .getRange(
                  GetRangeRequest.newBuilder()
                      .setSession(large.token())
                      .setPages(pages(150, 300))
                      .build());

      assertThat(whole.getUsedPages()).isEqualTo(100);
      assertThat(whole.getFreePages()).isEqualTo(LARGE_PAGES - 100);
      assertThat(whole.getHighWatermark()).isEqualTo(200);
      assertThat(whole.getRunsList())
          .containsExactly(
              run(PageState.PAGE_STATE_FREE, 0, 100),
              run(PageState.PAGE_STATE_USED, 100, 200),
              run(PageState.PAGE_STATE_FREE, 200, LARGE_PAGES));
      assertThat(part.getUsedPages()).as("of the whole range").isEqualTo(100);
      assertThat(part.getRunsList())
          .containsExactly(
              run(PageState.PAGE_STATE_USED, 150, 200), run(PageState.PAGE_STATE_FREE, 200, 300));
      assertThat(answeredBy(GetRangeResponse.class).stream().skip(1))
          .hasSize(2)
          .allSatisfy(thread -> assertThat(thread).startsWith(WORKER));
    });
  }

  @Test
  void useAndStop_ofManyResidentPages_areDoneAtOnce() throws IOException {
    withServer(channel -> {
      RawSession session = RawSession.open(channel, LARGE_PAGES);
      assertThat(session.use(0, LARGE_PAGES)).hasSize(1);
      assertThat(session.use(0, LARGE_PAGES)).as("fresh").isEmpty();
      session.stop(0, LARGE_PAGES);
      assertThat(session.range().getUsedPages()).isZero();
      session.stop(0, LARGE_PAGES);

      List<String> uses = answeredBy(UseRangeResponse.class);
      assertThat(uses).hasSize(2);
      assertThat(uses.get(0)).as("the cold use").startsWith(WORKER);
      assertThat(uses.get(1)).as("the warm use").doesNotStartWith(WORKER);
      assertThat(answeredBy(StopUsingRangeResponse.class))
          .hasSize(2)
          .allSatisfy(thread -> assertThat(thread).doesNotStartWith(WORKER));
    });
  }
}
