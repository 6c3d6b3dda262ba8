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
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What endpoints send each other over the wire, and in which order. */
@WithServer
final class ExchangeTest {
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
    alice = RawEndpoint.open(channel, "alice", 64);
    bob = RawEndpoint.open(channel, "bob", 64);
  }

  @AfterEach
  void closeEndpoints() {
    alice.session().cancel();
    bob.session().cancel();
    server.awaitNoSessions();
  }

  private static ByteString text(String text) {
    return ByteString.copyFromUtf8(text);
  }

  @Test
  void transact_bytesOneWay_liesInTheReceiversRange() throws StartupException {
    assertThat(alice.oneWay("bob", RawEndpoint.bytes(text("ebb and flow"))).getOneWaySpam())
        .isFalse();

    Transaction got = bob.take();

    assertThat(got.getSize()).isEqualTo(12);
    assertThat(bob.session().read(got.getOffset(), 12)).isEqualTo(text("ebb and flow"));
    assertThat(got.getSender().getName()).isEqualTo("alice");
    assertThat(got.getSender().getPid()).isEqualTo((int) ProcessHandle.current().pid());
    assertThat(got.getSender().getUid()).isEqualTo(HostLimits.ownUid());
    assertThat(got.getData()).isEmpty();
    assertThat(alice.session().map()).doesNotContain("U");
    bob.free(got.getOffset());
    assertThat(bob.session().map()).doesNotContain("U");
  }

  @Test
  void transact_stagedSlice_isCopiedOnceAndStaysStaged() {
    long staged = alice.allocate(10_000);
    alice.session().write(staged + 8, text("written in place"));

    var _ = alice.oneWay("bob", RawEndpoint.slice(staged + 8, 16));
    Transaction got = bob.take();

    assertThat(bob.session().read(got.getOffset(), 16)).isEqualTo(text("written in place"));
    assertThat(alice.session().map().substring(0, 3)).isEqualTo("UUU");
    alice.free(staged);
    assertThat(alice.session().map()).doesNotContain("U");
  }

  @Test
  void transact_twoWay_isRepliedToInTheAskersRange() {
    long asked =
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("depth?"))).setCode(7));
    Transaction got = bob.take();

    bob.accepted(bob.reply(got.getTransaction(), RawEndpoint.bytes(text("12 fathoms"))));
    Replied replied = alice.replied(asked);

    assertThat(got.getCode()).isEqualTo(7);
    assertThat(alice.session().read(replied.getOffset(), 10)).isEqualTo(text("12 fathoms"));
    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.bytes(text("again"))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER,
        "transaction=" + got.getTransaction());
    alice.free(replied.getOffset());
    bob.free(got.getOffset());
  }

  @Test
  void transact_oneWayFromOneSender_arriveInOrder() {
    List<Long> sent = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      // Of several pages now and then, so that some are allocated or copied off the event loop.
      ByteString data = ByteString.copyFrom(new byte[i % 10 == 0 ? 70_000 : 8]);
      sent.add(
          alice.transact(
              RawEndpoint.to("bob", RawEndpoint.bytes(data))
                  .setCode(i)
                  .setFlags(RawEndpoint.ONE_WAY)));
      Transaction got = i % 2 == 1 ? bob.take() : null;
      if (got != null) {
        assertThat(got.getCode()).isEqualTo(i - 1);
        Transaction second = bob.take();
        assertThat(second.getCode()).isEqualTo(i);
        bob.free(got.getOffset(), second.getOffset());
      }
    }
    sent.forEach(alice::accepted);
  }

  @Test
  void transact_twoWays_mayBeRepliedToInAnyOrder() {
    long first = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("1"))));
    long second = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("2"))));
    Transaction one = bob.take();
    Transaction two = bob.take();

    bob.accepted(bob.reply(two.getTransaction(), RawEndpoint.bytes(text("two"))));
    Replied repliedTwo = alice.replied(second);
    assertThat(alice.isAnswered(first)).isFalse();
    bob.accepted(bob.reply(one.getTransaction(), RawEndpoint.bytes(text("one"))));
    Replied repliedOne = alice.replied(first);

    assertThat(alice.session().read(repliedTwo.getOffset(), 3)).isEqualTo(text("two"));
    assertThat(alice.session().read(repliedOne.getOffset(), 3)).isEqualTo(text("one"));
  }

  @Test
  void transact_deliverData_bytesComeInTheEvents() {
    RawSession session = RawEndpoint.session(channel, "remote", 64);
    RawEndpoint remote = RawEndpoint.start(channel, session, true);
    var _ = remote.attach(true, true);

    long asked = remote.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("question"))));
    bob.accepted(bob.reply(bob.take().getTransaction(), RawEndpoint.bytes(text("answer"))));
    var _ = alice.oneWay("remote", RawEndpoint.bytes(text("news")));

    assertThat(remote.replied(asked).getData()).isEqualTo(text("answer"));
    assertThat(remote.take().getData()).isEqualTo(text("news"));
    session.cancel();
  }

  @Test
  void transact_toOneself_isHandedOver() {
    long staged = alice.allocate(100);
    alice.session().write(staged, text("note to self"));

    var _ = alice.oneWay("alice", RawEndpoint.slice(staged, 12));
    Transaction got = alice.take();

    assertThat(got.getOffset()).isNotEqualTo(staged);
    assertThat(alice.session().read(got.getOffset(), 12)).isEqualTo(text("note to self"));
  }

  @Test
  void transact_fromPagesRange_oneWayOnly() {
    RawSession pages = RawSession.open(channel, 4);
    RawEndpoint plain = RawEndpoint.start(channel, pages, true);
    var _ = plain.attach(false);
    var _ = pages.use(0, 1);
    pages.write(10, text("from a page"));

    var _ = plain.oneWay("bob", RawEndpoint.slice(10, 11));
    Transaction got = bob.take();

    assertThat(bob.session().read(got.getOffset(), 11)).isEqualTo(text("from a page"));
    assertThat(got.getSender().getName()).isEmpty();
    plain.failed(
        plain.transact(RawEndpoint.to("bob", RawEndpoint.slice(10, 11))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_WRONG_MODE,
        "two-way");
    plain.failed(
        plain.allocateLater(8, false),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_WRONG_MODE,
        "Allocate");
    plain.failed(
        plain.transact(
            RawEndpoint.to("bob", RawEndpoint.slice(4096, 1)).setFlags(RawEndpoint.ONE_WAY)),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_PAGE_NOT_USED,
        "page 1 is FREE");
    pages.cancel();
  }

  @Test
  void transact_empty_hasAnOffsetOfItsOwn() {
    var _ = alice.oneWay("bob", RawEndpoint.bytes(ByteString.EMPTY));
    var _ = alice.oneWay("bob", RawEndpoint.bytes(ByteString.EMPTY));
    Transaction one = bob.take();
    Transaction two = bob.take();

    assertThat(one.getSize()).isZero();
    assertThat(one.getOffset()).isNotEqualTo(two.getOffset());
  }

  @Test
  void reply_refusal_failsTheAsker() {
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("?"))));
    Transaction got = bob.take();

    bob.accepted(bob.refuse(got.getTransaction(), "no such chart"));

    alice.failed(
        asked, Code.ABORTED, ErrorReason.ERROR_REASON_REFUSED_BY_RECEIVER, "no such chart");
  }

  @Test
  void reply_badPayload_canBeTriedAgain() {
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("?"))));
    Transaction got = bob.take();

    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.slice(1 << 20, 8)),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_NOT_A_BUFFER);
    assertThat(alice.isAnswered(asked)).isFalse();
    bob.accepted(bob.reply(got.getTransaction(), RawEndpoint.bytes(text("!"))));

    assertThat(alice.session().read(alice.replied(asked).getOffset(), 1)).isEqualTo(text("!"));
  }

  @Test
  void reply_noRoomAtTheAsker_endsItOnBothSides() {
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("?"))));
    Transaction got = bob.take();
    long all = alice.allocate(64L * RawSession.PAGE);

    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.bytes(text("!"))),
        Code.RESOURCE_EXHAUSTED,
        ErrorReason.ERROR_REASON_NO_BUFFER_SPACE);
    alice.failed(
        asked, Code.RESOURCE_EXHAUSTED, ErrorReason.ERROR_REASON_NO_BUFFER_SPACE, "largest gap 0");
    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.bytes(text("!"))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    alice.free(all);
  }

  @Test
  void transact_twoWayTimeout_endsItOnBothSides() {
    long asked =
        alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("?"))).setTimeoutMs(1));
    ExchangeResponse answer = alice.await(asked);

    assertThat(answer.getFailed().getReason())
        .isEqualTo(ErrorReason.ERROR_REASON_TRANSACTION_TIMED_OUT);
    assertThat(answer.getFailed().getCode()).isEqualTo(Code.DEADLINE_EXCEEDED.value());
    // Either it never was delivered, or its end is told and its buffer is ours to free.
    var _ = alice.oneWay("bob", RawEndpoint.bytes(text("after")));
    Transaction next = bob.take();
    if (next.getCode() == 0 && next.getFlags() == 0) {
      assertThat(bob.takeEnding()).isEqualTo(next.getTransaction());
      bob.free(next.getOffset());
      next = bob.take();
    }
    bob.free(next.getOffset());
    assertThat(bob.session().map()).doesNotContain("U");
  }

  /** Four buffers of 64 KiB are the whole range: only what was cleared makes room. */
  @Test
  void free_manyToBeCleared_thenAllocateAtOnce_hasTheirSpaceAndZeros() {
    Long[] staged = new Long[4];
    for (int i = 0; i < staged.length; i++) {
      staged[i] = alice.await(alice.allocateLater(1 << 16, true)).getAllocated().getOffset();
      alice.session().write(staged[i], text("secret"));
    }

    long freed = alice.freeLater(staged);
    long next = alice.allocateLater(4 << 16, false);

    ExchangeResponse answer = alice.await(next);
    assertThat(answer.hasAllocated()).as(answer.toString()).isTrue();
    alice.accepted(freed);
    for (long offset : staged) {
      assertThat(alice.session().read(offset, 6)).isEqualTo(ByteString.copyFrom(new byte[6]));
    }
    alice.free(answer.getAllocated().getOffset());
    assertThat(alice.session().map()).doesNotContain("U");
  }

  @Test
  void cancel_twoWay_endsItOnBothSides() {
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(text("?"))));
    Transaction got = bob.take();

    alice.accepted(alice.cancelCommand(asked));

    alice.failed(asked, Code.CANCELLED, ErrorReason.ERROR_REASON_TRANSACTION_CANCELLED);
    assertThat(bob.takeEnding()).isEqualTo(got.getTransaction());
    bob.failed(
        bob.reply(got.getTransaction(), RawEndpoint.bytes(text("late"))),
        Code.FAILED_PRECONDITION,
        ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    bob.free(got.getOffset());
  }

  @Test
  void useRange_ofBuffersRange_isRefused() {
    Refusal.of(() -> alice.session().use(0, 1))
        .is(Code.FAILED_PRECONDITION, "WRONG_MODE", "RANGE_MODE_BUFFERS");
    Refusal.of(() -> alice.session().stop(0, 1))
        .is(Code.FAILED_PRECONDITION, "WRONG_MODE", "RANGE_MODE_BUFFERS");
  }
}
