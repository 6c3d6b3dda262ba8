package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import dev.pagetide.v1.RangeMode;
import io.grpc.Status;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** An opening that fails when its session is there, and only its answer is missing. */
final class SessionStreamsTest {
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
  private final Shrinker shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
  private final SessionRegistry sessions =
      new SessionRegistry(
          new SessionConfig(1, 1, 1000, 1000),
          new RangeConfig(PageFileMaker.MEMFD, 1 << 20, 1),
          budget,
          shrinker,
          InstantSource.system());
  private final Workers workers = new Workers(1);
  private final SessionStreams streams =
      new SessionStreams(sessions, shrinker, workers, CutOffObserver.NONE);

  @AfterEach
  void close() {
    workers.close();
  }

  private Call open(Function<Session, OpenRangeResponse> opened) {
    OpenRangeRequest request =
        OpenRangeRequest.newBuilder()
            .setName("the only one")
            .setMode(RangeMode.RANGE_MODE_PAGES)
            .setSizeBytes(1 << 16)
            .build();
    Call call = new Call();
    streams.open(request, Peer.unix(1000, 1), 0, () -> false, call, opened);
    return call;
  }

  @Test
  void open_answerCannotBeMade_endsTheSessionAndSaysSo() throws Exception {
    Call call =
        open(_ -> {
          throw new OutOfMemoryError("as the test says");
        });

    Throwable told = call.error.get(30, TimeUnit.SECONDS);
    assertThat(Status.fromThrowable(told).getCode()).isEqualTo(Status.Code.INTERNAL);
    workers.close(); // what has begun is finished first
    assertThat(sessions.opened()).isEqualTo(1);
    assertThat(sessions.size()).isZero();
    assertThat(budget.chargedPages()).isZero();
  }

  private static final class Call extends FakeCall<OpenRangeResponse> {
    private final CompletableFuture<Throwable> error = new CompletableFuture<>();

    @Override
    public void onError(Throwable why) {
      error.complete(why);
    }
  }
}
