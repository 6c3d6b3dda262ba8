package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.Attached;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.Reply;
import dev.pagetide.v1.Slice;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The end of an endpoint, or of its session, at every point of a transaction: the other side is
 * told at once, and nothing is left.
 */
final class ExchangeDeathTest {
  private static final int PAGES = 16;

  /** Every event tells the sender's name: with a long one some hundred events fill a connection. */
  private static final String LONG_NAME = "alice".repeat(25);

  @AutoClose private TestServer server;
  private ManagedChannel channel;
  private RawEndpoint alice;
  private RawEndpoint bob;

  @BeforeEach
  void startServer() throws IOException {
    // Room for three ranges' bookkeeping and 24 pages.
    server =
        TestServer.start(
            "--max-range-bytes=96KiB",
            "--max-resident-bytes=120KiB",
            "--max-resident-bytes-per-uid=120KiB",
            "--low-watermark=0",
            "--high-watermark=120KiB",
            "--allocation-wait=60s");
    channel = server.connect();
    alice = RawEndpoint.open(channel, LONG_NAME, PAGES);
    bob = RawEndpoint.open(channel, "bob", PAGES);
  }

  /** After every test: no buffer, no one-way charge, no session's memory is left. */
  @AfterEach
  void nothingIsLeft() throws Exception {
    Awaitility.await()
        .untilAsserted(() -> {
          Map<String, Double> now = server.metrics();
          assertThat(now.get("pagetide_waiting")).isZero();
        });
    alice.session().cancel();
    bob.session().cancel();
    server.awaitNoSessions();
    Map<String, Double> after = server.metrics();
    for (String state : List.of("building", "delivered", "clearing")) {
      assertThat(after.get("pagetide_buffers{state=\"" + state + "\"}")).isZero();
    }
    assertThat(after.get("pagetide_buffers_one_way_bytes")).isZero();
    assertThat(after.get("pagetide_parties")).isZero();
    assertThat(after.get("pagetide_resident_bytes")).isZero();
    server.closeWithoutStackTrace();
  }

  private static ByteString bytes(int count) {
    return ByteString.copyFrom(new byte[count]);
  }

  private long ask() {
    return alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(5000))));
  }

  private void awaitNoneUsed(RawEndpoint endpoint) {
    Awaitility.await().until(() -> !endpoint.session().map().contains("U"));
  }

  /** An endpoint named carol that is attached, and reads nothing but the answer to that. */
  private RawEndpoint openDeaf() {
    ManagedChannel narrow = server.connectWithFixedWindow();
    RawEndpoint carol =
        RawEndpoint.start(narrow, RawEndpoint.session(channel, "carol", PAGES), false);
    carol.read(1);
    var _ = carol.attach(true);
    return carol;
  }

  /** Asks so often that some transactions wait in the mailbox of one who does not read. */
  private List<Long> askUntilSomeWait() {
    List<Long> asked = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      asked.add(alice.transact(RawEndpoint.to("carol", RawEndpoint.bytes(bytes(64)))));
    }
    Awaitility.await().until(() -> buffers("delivered") + buffers("building") == 1000);
    assertThat(buffers("building")).isPositive();
    return asked;
  }

  @Test
  void receiverEndsItsExchange_askerIsToldAndTheBufferStays() {
    long asked = ask();
    Transaction got = bob.take();

    bob.halfClose();

    assertThat(bob.end().getStatus().getCode()).isEqualTo(Code.OK);
    alice.failed(asked, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED, "'bob'");
    RawEndpoint again = RawEndpoint.start(channel, bob.session(), true);
    Attached attached = again.attach(true);
    assertThat(attached.getBuffersList())
        .containsExactly(Slice.newBuilder().setOffset(got.getOffset()).setLength(5000).build());
    assertThat(attached.getOneWayBytes()).isEqualTo(PAGES * 4096L / 2);
    again.failed(
        again.reply(got.getTransaction(), RawEndpoint.bytes(bytes(1))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    again.free(got.getOffset());
    assertThat(bob.session().map()).doesNotContain("U");
  }

  @Test
  void receiversSessionEnds_exchangeEndsAndAskerIsTold() {
    long asked = ask();
    var _ = bob.take();

    bob.session().cancel();

    alice.failed(asked, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED);
    Refusal.of(bob.end()).is(Code.ABORTED, "SESSION_ENDED");
    alice.failed(ask(), Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED);
  }

  @Test
  void receiverEndsBeforeItReads_askersAreToldAndWhatWaitedIsGone() {
    RawEndpoint carol = openDeaf();
    List<Long> asked = askUntilSomeWait();

    carol.cancel();

    asked.forEach(
        id -> alice.failed(id, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED));
    assertThat(buffers("building")).isZero();
    // What had been sent stays until it is freed.
    RawEndpoint again = RawEndpoint.start(channel, carol.session(), true);
    List<Slice> left = again.attach(false).getBuffersList();
    assertThat(left).isNotEmpty();
    again.free(left.stream().map(Slice::getOffset).toArray(Long[]::new));
    assertThat(carol.session().map()).doesNotContain("U");
    carol.session().cancel();
  }

  @Test
  void askerEnds_receiverIsToldAndTheBufferIsItsToFree() {
    long _ = ask();
    Transaction got = bob.take();

    alice.cancel();

    assertThat(bob.takeEnding()).isEqualTo(got.getTransaction());
    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.bytes(bytes(1))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    bob.free(got.getOffset());
    awaitNoneUsed(bob);
  }

  @Test
  void askersSessionEnds_receiverIsToldAndStagedBuffersAreGone() {
    long _ = alice.allocate(20_000);
    long _ = ask();
    Transaction got = bob.take();

    alice.session().cancel();

    assertThat(bob.takeEnding()).isEqualTo(got.getTransaction());
    Awaitility.await().until(() -> server.ranges().size() == 1);
    bob.free(got.getOffset());
    awaitNoneUsed(bob);
  }

  @Test
  void askerEndsBeforeItsTransactionIsRead_itIsTakenBack() {
    RawEndpoint carol = openDeaf();
    var _ = askUntilSomeWait();

    alice.cancel();

    // Those that were sent stay; not one waits any more.
    Awaitility.await().until(() -> buffers("building") == 0);
    assertThat(buffers("delivered")).isPositive();
    carol.session().cancel();
  }

  private double buffers(String state) {
    return server.metric("pagetide_buffers{state=\"" + state + "\"}");
  }

  /** Uses all memory that is left, so that a buffer has to wait for its pages. */
  private RawSession hoard() {
    RawSession hoarder = RawSession.open(channel, 24);
    int pages = 24;
    while (pages > 0) {
      try {
        var _ = hoarder.useLater(0, pages, dev.pagetide.v1.WaitMode.WAIT_MODE_NEVER, 30_000).get();
        break;
      } catch (java.util.concurrent.ExecutionException | InterruptedException e) {
        pages--;
      }
    }
    return hoarder;
  }

  private void awaitWaiting(int uses) {
    Awaitility.await().until(() -> server.metric("pagetide_waiting") == uses);
  }

  @Test
  void receiverEndsWhileMemoryIsWaitedFor_askerIsToldAndNobodyWaits() {
    RawSession hoarder = hoard();
    long asked = ask();
    awaitWaiting(1);

    bob.halfClose();

    alice.failed(asked, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED);
    awaitWaiting(0);
    hoarder.cancel();
    awaitNoneUsed(bob);
  }

  @Test
  void askerEndsWhileMemoryIsWaitedFor_nobodyWaitsAndNothingComes() {
    RawSession hoarder = hoard();
    long _ =
        alice.transact(
            RawEndpoint.to("bob", RawEndpoint.bytes(bytes(9))).setFlags(RawEndpoint.ONE_WAY));
    long _ = ask();
    awaitWaiting(1);

    alice.cancel();

    awaitWaiting(0);
    hoarder.cancel();
    awaitNoneUsed(bob);
    assertThat(bob.waiting()).isZero();
  }

  @Test
  void askerEndsWhileItsReplyWaitsForMemory_replierIsToldThatItIsOver() {
    long _ = ask();
    Transaction got = bob.take();
    RawSession hoarder = hoard();
    long reply = bob.reply(got.getTransaction(), RawEndpoint.bytes(bytes(5000)));
    awaitWaiting(1);

    alice.halfClose();

    bob.failed(reply, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    awaitWaiting(0);
    hoarder.cancel();
    bob.free(got.getOffset());
    awaitNoneUsed(bob);
  }

  @Test
  void transact_timeIsUpWhileMemoryIsWaitedFor_endsItAndTheNextBegins() {
    RawSession hoarder = hoard();
    long asked =
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(9))).setTimeoutMs(200));
    long next = alice.transact(RawEndpoint.to("nobody", RawEndpoint.bytes(bytes(9))));

    assertThat(alice.await(asked).getFailed().getReason())
        .isIn(ErrorReason.ERROR_REASON_TRANSACTION_TIMED_OUT, ErrorReason.ERROR_REASON_NO_MEMORY);
    alice.failed(next, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED);
    hoarder.cancel();
  }

  @Test
  void free_whileAnEarlierCommandWaitsForMemory_overtakesIt() {
    long staged = alice.allocate(4 * 4096);
    RawSession hoarder = hoard();
    long asked = ask();
    awaitWaiting(1);

    alice.free(staged); // and those pages are what the transaction waits for

    assertThat(bob.take().getSize()).isEqualTo(5000);
    assertThat(alice.isAnswered(asked)).isFalse();
    hoarder.cancel();
  }

  @Test
  void cancel_ofACommandThatHasNotBegun_takesItOut() {
    RawSession hoarder = hoard();
    long first = ask();
    long second = ask();
    awaitWaiting(1);

    alice.accepted(alice.cancelCommand(second));
    alice.failed(second, Code.CANCELLED, ErrorReason.ERROR_REASON_TRANSACTION_CANCELLED);
    alice.accepted(alice.cancelCommand(first));
    alice.failed(first, Code.CANCELLED, ErrorReason.ERROR_REASON_TRANSACTION_CANCELLED);

    awaitWaiting(0);
    hoarder.cancel();
    awaitNoneUsed(bob);
    assertThat(bob.waiting()).isZero();
  }

  /** Commands without an answer share the number 0, and Cancel gives up two-way ones only. */
  @Test
  void cancel_ofCommandZero_givesUpNoReplyThatWaits() {
    long asked = ask();
    Transaction got = bob.take();
    RawSession hoarder = hoard();
    long waits = bob.allocateLater(4 * 4096, false);
    awaitWaiting(1);
    bob.send(
        ExchangeRequest.newBuilder()
            .setReply(Reply.newBuilder().setTransaction(got.getTransaction()).setRefusal("busy"))
            .build());

    bob.accepted(bob.cancelCommand(0));

    assertThat(alice.isAnswered(asked)).isFalse();
    hoarder.cancel();
    assertThat(bob.await(waits).hasAllocated()).isTrue();
    alice.failed(asked, Code.ABORTED, ErrorReason.ERROR_REASON_REFUSED_BY_RECEIVER, "busy");
    assertThat(bob.isAnswered(0)).as("nothing failed").isFalse();
    bob.free(got.getOffset(), bob.await(waits).getAllocated().getOffset());
  }

  @Test
  void serverStops_exchangesEndWithAWord() throws Exception {
    TestServer stopping = TestServer.start("--drain-wait=0s");
    RawEndpoint endpoint = RawEndpoint.open(stopping.connect(), "endpoint", 1);

    assertThat(stopping.process().terminate()).isZero();

    Refusal.of(endpoint.end()).is(Code.UNAVAILABLE, "SERVER_STOPPING");
    stopping.close();
  }
}
