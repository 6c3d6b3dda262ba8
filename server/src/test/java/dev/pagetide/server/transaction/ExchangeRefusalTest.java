package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.Allocate;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.util.Collections;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Every refusal of an Exchange and its commands; after each the stream goes on, if it had begun.
 */
@WithServer({"--max-buffers=40", "--max-transactions=3", "--max-data-bytes=4KiB"})
final class ExchangeRefusalTest {
  private static final int PAGES = 16;
  private static TestServer server;
  private ManagedChannel channel;
  private RawEndpoint alice;
  private RawEndpoint bob;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
  }

  @BeforeEach
  void openEndpoints() {
    channel = server.connect();
    alice = RawEndpoint.open(channel, "alice", PAGES);
    bob = RawEndpoint.open(channel, "bob", PAGES);
  }

  @AfterEach
  void everythingWorksOn() {
    var _ = alice.oneWay("bob", RawEndpoint.bytes(ByteString.copyFromUtf8("still here")));
    assertThat(bob.take().getSize()).isEqualTo(10);
    alice.session().cancel();
    bob.session().cancel();
    server.awaitNoSessions();
  }

  private RawEndpoint fresh(RawSession session) {
    return RawEndpoint.start(channel, session, true);
  }

  private static ByteString bytes(int count) {
    return ByteString.copyFrom(new byte[count]);
  }

  @Test
  void exchange_firstCommandIsAnother_fails() {
    RawEndpoint endpoint = fresh(alice.session());

    long _ = endpoint.freeLater(0L);

    Refusal.of(endpoint.end()).is(Code.FAILED_PRECONDITION, "NOT_ATTACHED", "attach");
  }

  @Test
  void attach_unknownToken_fails() {
    RawEndpoint endpoint = fresh(alice.session());

    endpoint.send(
        ExchangeRequest.newBuilder()
            .setId(1)
            .setAttach(Attach.newBuilder().setSession("nobody's"))
            .build());

    Refusal.of(endpoint.end()).is(Code.NOT_FOUND, "UNKNOWN_SESSION");
  }

  @Test
  void attach_withoutId_fails() {
    RawEndpoint endpoint = fresh(RawEndpoint.session(channel, "carol", 1));

    endpoint.send(
        ExchangeRequest.newBuilder()
            .setAttach(Attach.newBuilder().setSession(endpoint.session().token()))
            .build());

    Refusal.of(endpoint.end()).is(Code.INVALID_ARGUMENT, "FLAGS_INVALID", "id=0");
    endpoint.session().cancel();
  }

  @Test
  void attach_sessionHasAnExchange_fails() {
    RawEndpoint second = fresh(alice.session());

    Refusal.of(() -> second.attach(true))
        .is(Code.FAILED_PRECONDITION, "ALREADY_ATTACHED", "end that one first");
  }

  @Test
  void attach_twiceOnOneStream_isRefusedAndTheStreamGoesOn() {
    long id =
        alice.send(
            ExchangeRequest.newBuilder()
                .setAttach(Attach.newBuilder().setSession(alice.session().token())));

    alice.failed(id, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_ALREADY_ATTACHED);
  }

  @Test
  void attach_pagesRangeToReceive_fails() {
    RawSession pages = RawSession.open(channel, 1);

    Refusal.of(() -> fresh(pages).attach(true))
        .is(Code.FAILED_PRECONDITION, "WRONG_MODE", "receiving");
    pages.cancel();
  }

  @Test
  void command_none_isRefused() {
    alice.failed(
        alice.send(ExchangeRequest.newBuilder()),
        Code.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_MALFORMED_MESSAGE,
        "no command");
  }

  @Test
  void transact_unknownFlags_isRefused() {
    alice.failed(
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))).setFlags(5)),
        Code.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_FLAGS_INVALID,
        "flags=0x5",
        "0x3");
  }

  @Test
  void commands_thatNeedAnId_areRefusedWithoutOne() {
    alice.send(
        ExchangeRequest.newBuilder()
            .setTransact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))))
            .build());
    alice.failed(0, Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_FLAGS_INVALID, "id=0");
    bob.send(ExchangeRequest.newBuilder().setAllocate(Allocate.newBuilder().setSize(1)).build());
    bob.failed(0, Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_FLAGS_INVALID, "id=0");
    assertThat(bob.waiting()).isZero();
    assertThat(bob.session().map()).doesNotContain("U");
  }

  @Test
  void transact_idOfOneThatWaits_isRefused() {
    long first = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))));
    Transaction got = bob.take();

    alice.send(
        ExchangeRequest.newBuilder()
            .setId(first)
            .setTransact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))))
            .build());

    alice.failed(
        first, Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_FLAGS_INVALID, "id=" + first);
    bob.accepted(bob.reply(got.getTransaction(), RawEndpoint.bytes(bytes(1))));
  }

  @Test
  void transact_nobodyThere_isTargetDied() {
    double before = server.metric(ended("target_died"));

    alice.failed(
        alice.transact(
            RawEndpoint.to("nobody", RawEndpoint.bytes(bytes(1))).setFlags(RawEndpoint.ONE_WAY)),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TARGET_DIED,
        "'nobody'");

    assertThat(server.metric(ended("target_died"))).isEqualTo(before + 1);
  }

  private static String ended(String outcome) {
    return "pagetide_transactions_total{kind=\"one_way\",outcome=\"" + outcome + "\"}";
  }

  @Test
  void transact_endpointThatDoesNotReceive_isTargetDied() {
    RawEndpoint deaf = fresh(RawEndpoint.session(channel, "deaf", 1));
    var _ = deaf.attach(false);

    alice.failed(
        alice.transact(RawEndpoint.to("deaf", RawEndpoint.bytes(bytes(1)))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TARGET_DIED);
    deaf.session().cancel();
  }

  @Test
  void transact_otherUid_isDeniedWhetherOrNotTheNameExists() throws StartupException {
    int other = HostLimits.ownUid() + 1;
    String said =
        alice
            .failed(
                alice.transact(
                    RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))).setTargetUid(other)),
                Code.PERMISSION_DENIED,
                ErrorReason.ERROR_REASON_NOT_PERMITTED,
                "--allow-transactions")
            .getMessage();

    alice.failed(
        alice.transact(RawEndpoint.to("no such", RawEndpoint.bytes(bytes(1))).setTargetUid(other)),
        Code.PERMISSION_DENIED,
        ErrorReason.ERROR_REASON_NOT_PERMITTED,
        said);
    assertThat(bob.waiting()).isZero();
  }

  @Test
  void transact_sliceInNoBuffer_isRefused() {
    long first = alice.allocate(4096);
    long second = alice.allocate(4096);
    notABuffer(first, 8192); // two buffers
    notABuffer(second, 4097);
    notABuffer(1 << 20, 1); // past the end
    notABuffer(-8, 16);
    notABuffer(first, -1);
    alice.free(first);
    notABuffer(first, 1);
    alice.free(second);
    assertThat(bob.waiting()).isZero();
    assertThat(bob.session().map()).doesNotContain("U");
  }

  private void notABuffer(long offset, long length) {
    ExchangeResponse answer =
        alice.await(
            alice.transact(
                RawEndpoint.to("bob", RawEndpoint.slice(offset, length))
                    .setFlags(RawEndpoint.ONE_WAY)));
    assertThat(answer.hasFailed()).as(answer.toString()).isTrue();
    assertThat(answer.getFailed().getReason())
        .isIn(ErrorReason.ERROR_REASON_NOT_A_BUFFER, ErrorReason.ERROR_REASON_NO_ONE_WAY_SPACE);
  }

  @Test
  void transact_tooMuchData_isRefused() {
    alice.failed(
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(4097)))),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_TOO_MUCH_DATA,
        "4097",
        "--max-data-bytes=4096");
  }

  @Test
  void transact_moreThanTheRangeHolds_saysWhichSpaceAndHowMuch() {
    long staged = alice.allocate((PAGES - 1) * 4096L);
    long inBobsWay = bob.allocate(2 * 4096L);

    var failed =
        alice.failed(
            alice.transact(RawEndpoint.to("bob", RawEndpoint.slice(staged, (PAGES - 1) * 4096L))),
            Code.RESOURCE_EXHAUSTED,
            ErrorReason.ERROR_REASON_NO_BUFFER_SPACE,
            "61440 bytes",
            "largest gap 57344",
            "free 57344 of 65536");
    assertThat(failed.getRetryDelayMs()).isPositive();
    alice.failed(
        alice.transact(
            RawEndpoint.to("bob", RawEndpoint.slice(staged, 40_000)).setFlags(RawEndpoint.ONE_WAY)),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_NO_ONE_WAY_SPACE,
        "one-way 0 of 32768");
    alice.failed(
        alice.allocateLater(1 << 20, false),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_NO_BUFFER_SPACE,
        "1048576 bytes");
    alice.failed(
        alice.allocateLater(-1, false),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_NO_BUFFER_SPACE);
    bob.free(inBobsWay);
    alice.free(staged);
  }

  @Test
  void transact_tooManyBuffers_isRefused() {
    Long[] offsets = new Long[40];
    for (int i = 0; i < 40; i++) {
      offsets[i] = bob.allocate(8);
    }

    alice.failed(
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1)))),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_TOO_MANY_BUFFERS,
        "--max-buffers (now 40)");
    bob.free(offsets);
    assertThat(bob.session().map()).doesNotContain("U");
  }

  @Test
  void transact_tooManyTwoWays_isRefused() {
    for (int i = 0; i < 3; i++) {
      long _ = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))));
    }

    alice.failed(
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1)))),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_TOO_MANY_TRANSACTIONS,
        "--max-transactions=3");
    for (int i = 0; i < 3; i++) {
      bob.accepted(bob.reply(bob.take().getTransaction(), RawEndpoint.bytes(bytes(1))));
    }
  }

  @Test
  void free_twiceOrNeverABuffer_isRefusedAndTheOthersAreFreed() {
    long one = alice.allocate(4096);
    long two = alice.allocate(4096);
    alice.free(one);

    alice.failed(
        alice.freeLater(one, two),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_NOT_A_BUFFER,
        "1 of 2 buffers were not freed; the first of them: offset=" + one);

    alice.failed(
        alice.freeLater(two), Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_NOT_A_BUFFER);
    alice.failed(
        alice.freeLater(4L), Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_NOT_A_BUFFER);
    assertThat(alice.session().map()).doesNotContain("U");
  }

  @Test
  void free_tooManyOffsets_isRefused() {
    alice.failed(
        alice.freeLater(Collections.nCopies(4097, 0L).toArray(Long[]::new)),
        Code.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_TOO_MANY_SPANS,
        "4097 offsets");
  }

  @Test
  void reply_toNothingOrToAnothers_isRefused() {
    RawEndpoint carol = RawEndpoint.open(channel, "carol", 1);
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))));
    Transaction got = bob.take();

    carol.failed(
        carol.reply(got.getTransaction(), RawEndpoint.bytes(bytes(1))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    carol.failed(
        carol.reply(999_999, RawEndpoint.bytes(bytes(1))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);

    assertThat(alice.isAnswered(asked)).isFalse();
    bob.accepted(bob.reply(got.getTransaction(), RawEndpoint.bytes(bytes(1))));
    carol.session().cancel();
  }

  @Test
  void reply_longRefusal_isRefused() {
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes(1))));
    Transaction got = bob.take();

    bob.failed(
        bob.refuse(got.getTransaction(), "x".repeat(1025)),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_TOO_MUCH_DATA,
        "1025 bytes");

    bob.accepted(bob.refuse(got.getTransaction(), "x".repeat(1024)));
    alice.failed(asked, Code.ABORTED, ErrorReason.ERROR_REASON_REFUSED_BY_RECEIVER);
  }
}
