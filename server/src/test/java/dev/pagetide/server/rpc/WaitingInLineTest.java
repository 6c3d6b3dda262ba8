package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import io.grpc.Status.Code;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Over the wire and over real ranges: what passes a use that cannot be served, and openings that
 * wait as uses do.
 *
 * <p>The budget is 36 pages. A range's header and page table are 2 pages.
 */
@WithServer({
  "--max-range-bytes=96KiB",
  "--max-resident-bytes=144KiB",
  "--max-resident-bytes-per-uid=144KiB",
  "--low-watermark=0",
  "--high-watermark=144KiB",
  "--protect-recent=0ms",
  "--allocation-wait=60s"
})
final class WaitingInLineTest {
  private static final long LONG_SECONDS = 30;

  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  private RawSession open(int used) {
    RawSession session = RawSession.open(server.connect(), 24);
    int _ = session.use(0, used).size();
    return session;
  }

  /** Begins to open a range of 24 pages. */
  private RawSession startOpening(WaitMode wait) {
    return RawSession.start(
        server.connect(),
        OpenRangeRequest.newBuilder().setSizeBytes(24L * RawSession.PAGE).setWait(wait).build());
  }

  private void awaitWaiting(int requests) {
    Awaitility.await().until(() -> server.metric("pagetide_waiting") == requests);
  }

  private double waits(String outcome) {
    return server.metric("pagetide_wait_seconds_count{outcome=\"" + outcome + "\"}");
  }

  @Test
  void useRange_behindOneThatCannotBeServed_doesNotWaitWhileThereIsRoom() throws Exception {
    RawSession hog = open(22);
    RawSession greedy = open(0);
    RawSession victim = open(0); // 8 of 36 pages are free: more than a fifth
    ListenableFuture<UseRangeResponse> large = greedy.useLater(0, 10); // within its share of 12
    awaitWaiting(1);

    for (int page = 0; page < 6; page++) {
      assertThat(victim.use(page, page + 1)).hasSize(1);
    }
    RawSession opened = startOpening(WaitMode.WAIT_MODE_NEVER);
    assertThat(opened.opened().getPageCount()).isEqualTo(24);

    assertThat(waits("granted")).isZero();
    assertThat(large.isDone()).isFalse();
    opened.cancel();
    victim.stop(0, 6);
    hog.stop(0, 4);
    assertThat(large.get(LONG_SECONDS, TimeUnit.SECONDS).getFreshList())
        .containsExactly(RawSession.span(0, 10)); // for the large use gathered what came back
  }

  @Test
  void openRange_nothingIsFree_waitsAndOpensOnceMemoryComesBack() {
    RawSession holder = open(16);
    RawSession other = open(16);
    RawSession opening = startOpening(WaitMode.WAIT_MODE_UNSPECIFIED);
    awaitWaiting(1);

    other.stop(0, 2);

    assertThat(opening.opened().getPageCount()).isEqualTo(24);
    assertThat(waits("granted")).isEqualTo(1);
    assertThat(server.metric("pagetide_refusals_total{limit=\"server\"}")).isZero();
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(36 * RawSession.PAGE);
    assertThat(holder.map()).isEqualTo("UUUUUUUUUUUUUUUU........");
  }

  @WithServer("--allocation-wait=100ms")
  @Test
  void openRange_timeIsUp_isRefused() throws Exception {
    RawSession holder = open(16);
    RawSession other = open(16);

    RawSession opening = startOpening(WaitMode.WAIT_MODE_UNTIL_DEADLINE);

    Refusal refusal = Refusal.of(opening.end());
    refusal.is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory for 2 pages after ");
    assertThat(refusal.retryMayHelp()).isTrue();
    assertThat(waits("refused")).isEqualTo(1);
    assertThat(server.ranges()).hasSize(2);
    assertThat(holder.hasEnded() || other.hasEnded()).isFalse();
  }

  @Test
  void openRange_mayNotWait_isRefusedAtOnce() {
    RawSession holder = open(16);
    RawSession other = open(16);

    RawSession opening = startOpening(WaitMode.WAIT_MODE_NEVER);

    Refusal.of(opening.end())
        .is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory for 2 pages: resident 36 of 36");
    assertThat(waits("refused")).isZero();
    assertThat(holder.hasEnded() || other.hasEnded()).isFalse();
  }

  @Test
  void openRange_unknownWaitMode_isRefused() {
    RawSession opening =
        RawSession.start(
            server.connect(),
            OpenRangeRequest.newBuilder().setSizeBytes(RawSession.PAGE).setWaitValue(9).build());

    Refusal.of(opening.end()).is(Code.INVALID_ARGUMENT, "MODE_INVALID", "WAIT_MODE_NEVER");
    assertThat(server.ranges()).isEmpty();
  }

  @Test
  void openRange_cancelledWhileItWaits_leavesTheLineAndNothingBehind() {
    RawSession holder = open(16);
    RawSession other = open(16);
    RawSession opening = startOpening(WaitMode.WAIT_MODE_UNSPECIFIED);
    awaitWaiting(1);

    opening.cancel();

    awaitWaiting(0);
    assertThat(waits("cancelled")).isEqualTo(1);
    other.stop(0, 2);
    assertThat(holder.use(16, 18)).hasSize(1);
    assertThat(server.ranges()).hasSize(2);
  }

  @WithServer("--drain-wait=600s")
  @Test
  void drain_openingWaits_isToldAtOnceThatTheServerStops() throws Exception {
    RawSession holder = open(16);
    RawSession other = open(16);
    RawSession opening = startOpening(WaitMode.WAIT_MODE_UNSPECIFIED);
    awaitWaiting(1);

    CompletableFuture<Integer> exit =
        CompletableFuture.supplyAsync(() -> terminate(server.process()));

    Refusal.of(opening.end()).is(Code.UNAVAILABLE, "SERVER_STOPPING");
    assertThat(holder.draining().getDrainWaitMs()).isEqualTo(600_000);
    holder.cancel();
    other.cancel();
    assertThat(exit.get(LONG_SECONDS, TimeUnit.SECONDS)).isZero();
  }

  private static int terminate(JavaProcess process) {
    try {
      return process.terminate();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
