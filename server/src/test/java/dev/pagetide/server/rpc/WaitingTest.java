package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.UseRangeRequest;
import dev.pagetide.v1.UseRangeResponse;
import dev.pagetide.v1.WaitMode;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Waiting for memory of the whole server, over the wire: who waits, in what order, for how long,
 * and how each wait ends. No wait lasts without an end.
 *
 * <p>The budget is 36 pages. A range's header and page table are 2 pages: two ranges of 16 fill it.
 */
@Promise(30)
@WithServer({
  "--max-range-bytes=96KiB",
  "--max-resident-bytes=144KiB",
  "--max-resident-bytes-per-uid=144KiB",
  "--low-watermark=0",
  "--high-watermark=144KiB",
  "--protect-recent=0ms",
  "--allocation-wait=60s"
})
final class WaitingTest {
  private static final long LONG_SECONDS = 30;

  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  /** Opens a range of 24 pages, and uses so many of them. */
  private RawSession open(int used) {
    RawSession session = RawSession.open(server.connect(), 24);
    int _ = session.use(0, used).size();
    return session;
  }

  private void awaitWaiting(int uses) {
    Awaitility.await().until(() -> server.metric("pagetide_waiting") == uses);
  }

  private double waits(String outcome) {
    return server.metric("pagetide_wait_seconds_count{outcome=\"" + outcome + "\"}");
  }

  private static List<PageSpan> fresh(ListenableFuture<UseRangeResponse> use) throws Exception {
    return use.get(LONG_SECONDS, TimeUnit.SECONDS).getFreshList();
  }

  private static Refusal refusal(ListenableFuture<UseRangeResponse> use) throws Exception {
    try {
      throw new AssertionError("not refused: " + use.get(LONG_SECONDS, TimeUnit.SECONDS));
    } catch (ExecutionException e) {
      return refusal(e);
    }
  }

  private static Refusal refusal(ExecutionException failure) throws ExecutionException {
    if (failure.getCause() instanceof StatusRuntimeException status) {
      return Refusal.of(status);
    }
    throw failure;
  }

  @Test
  void useRange_twoFullRangesNeedEachOthersLeavings_bothAreServed() throws Exception {
    RawSession first = open(16);
    RawSession second = open(16);
    ListenableFuture<UseRangeResponse> one = first.useLater(16, 17);
    ListenableFuture<UseRangeResponse> two = second.useLater(16, 17);
    awaitWaiting(2);

    second.stop(0, 1);
    first.stop(0, 1);

    assertThat(fresh(one)).containsExactly(RawSession.span(16, 17));
    assertThat(fresh(two)).containsExactly(RawSession.span(16, 17));
    assertThat(first.map()).isEqualTo(".UUUUUUUUUUUUUUUU.......");
    assertThat(second.map()).isEqualTo(".UUUUUUUUUUUUUUUU.......");
    assertThat(waits("granted")).isEqualTo(2);
    assertThat(server.metric("pagetide_waiting")).isZero();
  }

  @Test
  void useRange_severalWait_areServedInOrderOfArrival() throws Exception {
    RawSession holder = open(20);
    List<RawSession> sessions = List.of(open(0), open(0), open(0));
    List<ListenableFuture<UseRangeResponse>> uses = new ArrayList<>();
    int _ = sessions.get(2).use(0, 8).size();
    for (RawSession session : sessions) {
      uses.add(session.useLater(8, 10));
      awaitWaiting(uses.size());
    }

    holder.stop(0, 2);
    assertThat(fresh(uses.get(0))).hasSize(1);
    assertThat(uses.get(1).isDone()).isFalse();

    holder.stop(2, 4);
    assertThat(fresh(uses.get(1))).hasSize(1);
    assertThat(uses.get(2).isDone()).isFalse();

    holder.stop(4, 6);
    assertThat(fresh(uses.get(2))).hasSize(1);
  }

  @Test
  void useRange_moreThanTheFairShare_waitsBehindThoseWithinTheirs() throws Exception {
    RawSession holder = open(16);
    RawSession greedy = open(14);
    RawSession modest = open(0); // a third of 36 pages is 12
    ListenableFuture<UseRangeResponse> large = greedy.useLater(14, 16);
    awaitWaiting(1);
    ListenableFuture<UseRangeResponse> small = modest.useLater(0, 1);
    awaitWaiting(2);

    holder.stop(0, 1);

    assertThat(fresh(small)).hasSize(1);
    assertThat(large.isDone()).isFalse();
    holder.stop(1, 3);
    assertThat(fresh(large)).hasSize(1);
  }

  @Test
  void useRange_mayNotWait_isRefusedAtOnceAndOvertakesNobody() throws Exception {
    RawSession holder = open(16);
    RawSession other = open(14); // 2 pages are left
    ListenableFuture<UseRangeResponse> waiting = other.useLater(14, 18);
    awaitWaiting(1);

    Refusal refusal =
        refusal(holder.useLater(16, 19, WaitMode.WAIT_MODE_NEVER, LONG_SECONDS * 1000));

    refusal.is(
        Code.RESOURCE_EXHAUSTED,
        "NO_MEMORY",
        "no memory for 3 pages: resident 34 of 36",
        "; 1 request waits and goes first; stop using pages");
    assertThat(refusal.retryMayHelp()).isTrue();
    assertThat(waiting.isDone()).isFalse();
    holder.stop(0, 2);
    assertThat(fresh(waiting)).hasSize(1);
  }

  @Test
  void useRange_timeIsUp_isRefusedBeforeTheDeadline() throws Exception {
    RawSession holder = open(24);
    RawSession other = open(8);

    Refusal refusal =
        refusal(
            other.useLater(8, 10, WaitMode.WAIT_MODE_UNTIL_DEADLINE, /* deadlineMillis= */ 10_000));

    refusal.is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "no memory for 2 pages after ");
    assertThat(refusal.retryMayHelp()).isTrue();
    assertThat(waits("refused")).isEqualTo(1);
    assertThat(server.metric("pagetide_refusals_total{limit=\"server\"}")).isEqualTo(1);
    assertThat(other.map()).isEqualTo("UUUUUUUU................");
    assertThat(holder.map()).isEqualTo("UUUUUUUUUUUUUUUUUUUUUUUU");
  }

  @WithServer("--max-resident-bytes-per-session=40KiB")
  @Test
  void useRange_sessionsOwnLimit_isRefusedWithoutAWait() throws Exception {
    RawSession session = open(8);

    Refusal refusal = refusal(session.useLater(8, 9));

    refusal.is(
        Code.RESOURCE_EXHAUSTED,
        "NO_MEMORY",
        "no memory for 1 page: resident 10 of 10 pages",
        "--max-resident-bytes-per-session");
    assertThat(waits("refused")).isZero();
    session.stop(0, 1); // and pays with its own pages
    assertThat(session.use(8, 9)).hasSize(1);
    assertThat(session.map()).isEqualTo(".UUUUUUUU...............");
  }

  @WithServer("--max-resident-bytes-per-session=40KiB")
  @Test
  void useRange_moreThanAnyLimit_isRefusedWithoutAWaitAndWithoutAdviceToRetry() throws Exception {
    RawSession session = open(0);

    Refusal refusal = refusal(session.useLater(0, 11));

    refusal.is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY", "ask for fewer pages at once");
    assertThat(refusal.retryMayHelp()).isFalse();
    assertThat(waits("refused")).isZero();
  }

  @Test
  void useRange_sessionEndsWhileItWaits_endsAtOnce() throws Exception {
    RawSession holder = open(16);
    RawSession ending = open(16);
    ListenableFuture<UseRangeResponse> waiting = ending.useLater(16, 17);
    awaitWaiting(1);

    ending.cancel();

    refusal(waiting).is(Code.ABORTED, "SESSION_ENDED");
    assertThat(waits("ended")).isEqualTo(1);
    assertThat(server.metric("pagetide_waiting")).isZero();
    Awaitility.await().until(() -> server.metric("pagetide_sessions") == 1);
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(18 * RawSession.PAGE);
    assertThat(holder.use(16, 24)).hasSize(1);
  }

  @Test
  void useRange_anotherSessionEnds_isServed() throws Exception {
    RawSession ending = open(16);
    RawSession other = open(16);
    ListenableFuture<UseRangeResponse> waiting = other.useLater(16, 24);
    awaitWaiting(1);

    ending.cancel();

    assertThat(fresh(waiting)).containsExactly(RawSession.span(16, 24));
  }

  @Test
  void useRange_cancelledWhileItWaits_leavesTheLineAndNothingBehind() throws Exception {
    RawSession holder = open(16);
    RawSession other = open(16);
    ListenableFuture<UseRangeResponse> cancelled = other.useLater(16, 24);
    awaitWaiting(1);
    ListenableFuture<UseRangeResponse> next = other.useLater(16, 17);
    awaitWaiting(2);

    assertThat(cancelled.cancel(true)).isTrue();
    awaitWaiting(1);
    holder.stop(0, 1);

    assertThat(fresh(next)).hasSize(1);
    assertThat(cancelled.isCancelled()).isTrue();
    assertThat(waits("cancelled")).isEqualTo(1);
    assertThat(other.map()).isEqualTo("UUUUUUUUUUUUUUUUU.......");
    assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(36 * RawSession.PAGE);
  }

  @WithServer({
    "--max-range-bytes=1MiB",
    "--max-resident-bytes=1040KiB",
    "--max-resident-bytes-per-uid=1040KiB",
    "--high-watermark=1040KiB"
  })
  @Test
  void useRange_manyWait_holdNoThreadThatOthersNeed() throws Exception {
    RawSession holder = RawSession.open(server.connect(), 256);
    int _ = holder.use(0, 200).size();
    RawSession other = RawSession.open(server.connect(), 256);
    int _ = other.use(0, 56).size(); // 260 pages, with header and table of two
    List<ListenableFuture<UseRangeResponse>> waiting = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      waiting.add(other.useLater(56 + i, 57 + i));
    }
    awaitWaiting(64);

    // What is copied by a worker's hand, opened and ended by one: all go on.
    assertThat(holder.read(0, 128 * 1024).size()).isEqualTo(128 * 1024);
    holder.fillZero(0, 512 * 1024);
    assertThat(server.ranges()).hasSize(2);
    holder.stop(0, 200);

    for (ListenableFuture<UseRangeResponse> use : waiting) {
      assertThat(fresh(use)).hasSize(1);
    }
    assertThat(waits("granted")).isEqualTo(64);
  }

  @Test
  void useRange_unknownWaitMode_isRefused() {
    RawSession session = open(0);

    Refusal refusal =
        Refusal.of(() ->
            session
                .stub()
                .useRange(
                    UseRangeRequest.newBuilder()
                        .setSession(session.token())
                        .addPages(RawSession.span(0, 1))
                        .setWaitValue(9)
                        .build()));

    refusal.is(Code.INVALID_ARGUMENT, "MODE_INVALID", "WAIT_MODE_NEVER");
    assertThat(session.map()).isEqualTo("........................");
  }

  @Test
  void useRange_refusedOften_isLoggedOnce() throws Exception {
    RawSession session = open(24);
    RawSession other = open(8);
    for (int i = 0; i < 5; i++) {
      refusal(other.useLater(8, 10, WaitMode.WAIT_MODE_NEVER, LONG_SECONDS * 1000))
          .is(Code.RESOURCE_EXHAUSTED, "NO_MEMORY");
    }

    String errors = server.stopWithoutStackTrace();

    assertThat(session.hasEnded()).isTrue();
    assertThat(errors.lines().filter(line -> line.contains("memory runs short"))).hasSize(1);
    assertThat(errors).contains("no memory for 2 pages: resident 36 of 36 pages");
  }

  /** The memory of the session that ends first may be granted to the other, which waits still. */
  @Test
  void drain_someWait_endsThem() throws Exception {
    RawSession one = open(16);
    RawSession other = open(16);
    List<ListenableFuture<UseRangeResponse>> waiting =
        List.of(one.useLater(16, 17), other.useLater(16, 17));
    awaitWaiting(2);

    assertThat(server.process().terminate()).isEqualTo(0);

    assertThat(one.end()).isNotNull();
    assertThat(other.end()).isNotNull();
    int refused = 0;
    for (ListenableFuture<UseRangeResponse> use : waiting) {
      try {
        assertThat(fresh(use)).hasSize(1);
      } catch (ExecutionException e) {
        // A drain ends the sessions before the connections, and answers what waits with that end.
        refusal(e).is(Code.ABORTED, "SESSION_ENDED");
        refused++;
      }
    }
    assertThat(refused).isPositive();
  }
}
