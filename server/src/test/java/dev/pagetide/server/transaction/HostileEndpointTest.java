package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.MappedRange;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Endpoints that do what none should: the others are not affected, and the server lives. */
final class HostileEndpointTest {
  private static final int PAGES = 64;
  private static final int RANGE_BYTES = PAGES * 4096;

  @AutoClose private TestServer server;
  private ManagedChannel channel;
  private RawEndpoint alice;
  private RawEndpoint bob;
  private RawEndpoint mallory;

  @BeforeEach
  void startServer() throws IOException {
    server = TestServer.start();
    channel = server.connect();
    alice = RawEndpoint.open(channel, "alice", PAGES);
    bob = RawEndpoint.open(channel, "bob", PAGES);
    mallory = RawEndpoint.open(server.connect(), "mallory", PAGES);
  }

  @AfterEach
  void theOthersAreNotAffected() throws Exception {
    ByteString data = ByteString.copyFromUtf8("as if nothing had been");
    long asked = alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(data)));
    Transaction got = bob.take();
    assertThat(bob.session().read(got.getOffset(), data.size())).isEqualTo(data);
    bob.accepted(bob.reply(got.getTransaction(), RawEndpoint.slice(got.getOffset(), data.size())));
    long replied = alice.replied(asked).getOffset();
    assertThat(alice.session().read(replied, data.size())).isEqualTo(data);
    alice.free(replied);
    bob.free(got.getOffset());
    assertThat(alice.session().map()).doesNotContain("U");
    assertThat(bob.session().map()).doesNotContain("U");
    server.closeWithoutStackTrace();
  }

  /** Bytes that tell their place, so that a shifted or mixed copy shows. */
  private static ByteString pattern(int count, int seed) {
    byte[] bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) (i * 31 + seed);
    }
    return ByteString.copyFrom(bytes);
  }

  private long oneWay(RawEndpoint from, String to, ByteString data) {
    return from.transact(RawEndpoint.to(to, RawEndpoint.bytes(data)).setFlags(RawEndpoint.ONE_WAY));
  }

  @Test
  void receiverScribblesOverItsWholeFile_nothingMoves() throws Exception {
    long rangeId = mallory.session().opened().getRangeId();
    AtomicBoolean enough = new AtomicBoolean();
    try (MappedRange file = new MappedRange(server, rangeId)) {
      Thread scribbler = Thread.ofPlatform().start(() -> scribble(file, enough));
      for (int i = 0; i < 400; i++) {
        alice.accepted(oneWay(alice, "mallory", pattern(1 + i * 97 % 20_000, i)));
        Transaction got = mallory.take();
        assertThat(got.getSize()).isEqualTo(1 + i * 97 % 20_000);
        mallory.free(got.getOffset());
      }
      enough.set(true);
      scribbler.join();
    }

    // Words lie in the server's memory: what the file's table says means nothing.
    assertThat(mallory.session().map()).doesNotContain("U");
    assertThat(server.metric("pagetide_contradictions")).isZero();
    var _ = server.scanAll();
    assertThat(mallory.session().map()).matches("\\.{" + PAGES + "}");
  }

  private static void scribble(MappedRange file, AtomicBoolean enough) {
    long word = 1;
    while (!enough.get()) {
      for (int page = 0; page < PAGES; page++) {
        word = word * 6364136223846793005L + 1442695040888963407L;
        var _ = file.table().casWord(page, file.table().wordAcquire(page), word);
        file.scribble(page);
      }
    }
  }

  @Test
  void receiverNeverFrees_sendersAreToldAndFlagged() {
    int accepted = 0;
    boolean flagged = false;
    Failed refused = null;
    while (refused == null) {
      ExchangeResponse answer = alice.await(oneWay(alice, "mallory", pattern(1000, accepted)));
      if (answer.hasFailed()) {
        refused = answer.getFailed();
      } else {
        accepted++;
        flagged |= answer.getAccepted().getOneWaySpam();
      }
    }

    assertThat(refused.getReason()).isEqualTo(ErrorReason.ERROR_REASON_NO_ONE_WAY_SPACE);
    assertThat(refused.getMessage())
        .contains("one-way " + accepted * 1000L + " of " + RANGE_BYTES / 2);
    assertThat(accepted).isEqualTo(RANGE_BYTES / 2 / 1000);
    assertThat(flagged).isTrue();
    assertThat(server.metric("pagetide_transactions_spam_total")).isPositive();
    // The other half is left to those who wait for a reply.
    long asked = alice.transact(RawEndpoint.to("mallory", RawEndpoint.bytes(pattern(5000, 1))));
    assertThat(mallory.take().getCode()).isZero();
    alice.accepted(alice.cancelCommand(asked));
  }

  @Test
  void receiverFreesTwiceAndOthersAndRepliesTwice_onlyHears() {
    long bobs = bob.allocate(3 * 4096);
    long asked = alice.transact(RawEndpoint.to("mallory", RawEndpoint.bytes(pattern(100, 3))));
    Transaction got = mallory.take();
    mallory.accepted(mallory.reply(got.getTransaction(), RawEndpoint.bytes(pattern(9, 4))));
    long second = mallory.reply(got.getTransaction(), RawEndpoint.bytes(pattern(9, 5)));
    mallory.free(got.getOffset());
    for (long offset = 0; offset < 4 * 4096; offset += 8) {
      ExchangeResponse answer = mallory.await(mallory.freeLater(offset));
      assertThat(answer.getFailed().getReason()).isEqualTo(ErrorReason.ERROR_REASON_NOT_A_BUFFER);
    }

    assertThat(mallory.await(second).getFailed().getReason())
        .isEqualTo(ErrorReason.ERROR_REASON_TRANSACTION_OVER);
    long replied = alice.replied(asked).getOffset();
    assertThat(alice.session().read(replied, 9)).isEqualTo(pattern(9, 4));
    assertThat(alice.session().map()).startsWith("U");
    alice.free(replied);
    assertThat(bob.session().map()).startsWith("UUU.");
    bob.free(bobs);
  }

  @Test
  void senderChangesItsSliceWhileItIsCopied_theLengthIsTheOneThatWasChecked() throws Exception {
    int length = 100_000;
    long staged = mallory.allocate(length);
    long rangeId = mallory.session().opened().getRangeId();
    // A neighbour on either side, so that a byte too many would show.
    long before = bob.allocate(4096);
    bob.session().write(before, pattern(4096, 1));
    AtomicBoolean enough = new AtomicBoolean();
    try (MappedRange file = new MappedRange(server, rangeId)) {
      Thread scribbler = Thread.ofPlatform().start(() -> scribble(file, enough));
      for (int i = 0; i < 200; i++) {
        mallory.accepted(
            mallory.transact(
                RawEndpoint.to("bob", RawEndpoint.slice(staged, length))
                    .setFlags(RawEndpoint.ONE_WAY)));
        Transaction got = bob.take();
        assertThat(got.getSize()).isEqualTo(length);
        assertThat(bob.session().read(before, 4096)).isEqualTo(pattern(4096, 1));
        bob.free(got.getOffset());
      }
      enough.set(true);
      scribbler.join();
    }
    bob.free(before);
  }

  @Test
  void endpointThatReadsNothing_costsNoMemoryAndIsNotListenedTo() throws Exception {
    RawEndpoint deaf =
        RawEndpoint.start(
            server.connectWithFixedWindow(), RawEndpoint.session(channel, "deaf", PAGES), false);
    deaf.read(1);
    var _ = deaf.attach(true);
    long peak = server.peakBytes();
    int sent = 0;
    // Every command is answered: with a failure of some hundred bytes, since nobody is there.
    while (deaf.isReady() && sent < 1_000_000) {
      long _ = deaf.transact(RawEndpoint.to("nobody", RawEndpoint.bytes(ByteString.EMPTY)));
      sent++;
    }
    int commands = sent;
    assertThat(commands).isLessThan(1_000_000);
    assertThat(server.peakBytes() - peak).isLessThan(64L << 20);

    deaf.read(commands);

    deaf.await(commands + 1L);
    deaf.session().cancel();
    Awaitility.await().until(() -> server.ranges().size() == 3);
  }

  @Test
  void floodOfLargeOneWays_isRefusedByTypeAndLeavesNothing() {
    int refused = 0;
    ByteString large = pattern(90_000, 2);
    long[] ids = new long[200];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = oneWay(mallory, "bob", large);
    }
    for (long id : ids) {
      ExchangeResponse answer = mallory.await(id);
      if (answer.hasFailed()) {
        refused++;
        assertThat(answer.getFailed().getReason())
            .isEqualTo(ErrorReason.ERROR_REASON_NO_ONE_WAY_SPACE);
      }
    }
    assertThat(refused).isEqualTo(ids.length - 1);
    Transaction got = bob.take();
    assertThat(bob.session().read(got.getOffset(), 90_000)).isEqualTo(large);
    bob.free(got.getOffset());
  }

  @Test
  void clearOnFree_bytesAreGoneBeforeTheSpaceIsUsedAgain() throws Exception {
    int count = 3 * 4096;
    alice.accepted(
        alice.transact(
            RawEndpoint.to("mallory", RawEndpoint.bytes(pattern(count, 7)))
                .setFlags(RawEndpoint.ONE_WAY | RawEndpoint.CLEAR_ON_FREE)));
    Transaction got = mallory.take();
    alice.accepted(oneWay(alice, "mallory", pattern(100, 8)));
    Transaction neighbour = mallory.take();

    mallory.free(got.getOffset());

    long again = mallory.allocate(count);
    assertThat(again).isEqualTo(got.getOffset());
    assertThat(mallory.session().read(again, count))
        .isEqualTo(ByteString.copyFrom(new byte[count]));
    assertThat(mallory.session().read(neighbour.getOffset(), 100)).isEqualTo(pattern(100, 8));
  }
}
