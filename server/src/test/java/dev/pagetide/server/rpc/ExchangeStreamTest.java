package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.server.transaction.EndpointRegistry;
import dev.pagetide.server.transaction.TransactRule;
import dev.pagetide.server.transaction.TransactionConfig;
import dev.pagetide.server.transaction.TransactionObserver;
import dev.pagetide.v1.ExchangeResponse;
import io.grpc.Metadata;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The end of an Exchange that gRPC has ended already. */
final class ExchangeStreamTest {
  private final PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
  private final SessionRegistry sessions =
      new SessionRegistry(
          new SessionConfig(1, 1, 1000, 1000),
          new RangeConfig(PageFileMaker.MEMFD, 1 << 20, 1),
          budget,
          new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE),
          InstantSource.system());
  private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(0);
  private final EndpointRegistry endpoints =
      new EndpointRegistry(
          new TransactionConfig(16, 16, 0, TransactRule.OWN),
          PageClock.MONOTONIC,
          Runnable::run,
          Runnable::run,
          timer,
          TransactionObserver.NONE);

  @AfterEach
  void close() {
    timer.shutdownNow();
  }

  /**
   * gRPC closes a call whose message an Error kept from being sent; then it refuses another end.
   */
  @Test
  void end_callIsClosedAlready_doesNothing() {
    RequestConfig limits =
        new RequestConfig(
            1024,
            1,
            1024,
            Duration.ofSeconds(1),
            true,
            Duration.ofSeconds(10),
            Duration.ofMinutes(5));
    InFlight inFlight = new InFlight(limits, (_, _, _) -> {}, () -> new ArrivingCalls(_ -> {}));
    InFlight.Ticket ticket =
        (InFlight.Ticket) inFlight.newServerStreamTracer("test/Test", new Metadata());
    ClosedCall call = new ClosedCall();
    ExchangeStream stream =
        new ExchangeStream(
            sessions,
            endpoints,
            1024,
            Peer.unix(1000, 1),
            ticket,
            (ArrivingMessage)
                ArrivingMessage.tracers()
                    .newServerStreamTracer(
                        "pagetide.v1.TransactionService/Exchange", new Metadata()),
            call);

    stream.end(new PageFailure.Closed());
    stream.end(new PageFailure.Closed());

    assertThat(call.ends).as("tries to end the call").isEqualTo(1);
  }

  private static final class ClosedCall extends FakeCall<ExchangeResponse> {
    private int ends;

    @Override
    public void onError(Throwable why) {
      ends++;
      throw new IllegalStateException("call already closed");
    }
  }
}
