package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.Cancel;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.Transact;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The memory of commands that wait, and of answers that nobody reads, counts as in flight, and is
 * given back on every path.
 */
@WithServer({
  "--max-range-bytes=64KiB",
  "--max-resident-bytes=124KiB",
  "--max-resident-bytes-per-uid=124KiB",
  "--low-watermark=0",
  "--high-watermark=124KiB",
  "--allocation-wait=60s",
  "--max-data-bytes=16KiB",
  "--max-request-bytes-in-flight=1MiB"
})
final class WaitingMemoryTest {
  private static final int PAGES = 16;

  /** Too many beside the hog's; two endpoints get them once it has freed its own. */
  private static final int STUCK_PAGES = 12;

  private static final int COMMANDS = 1 + ContractLimits.MAX_FURTHER_COMMANDS;
  private static final int PAYLOAD_BYTES = 1000;
  private static TestServer server;
  private ManagedChannel channel;
  private RawEndpoint hog;

  @BeforeAll
  static void startServer(TestServer started) {
    server = started;
  }

  @BeforeEach
  void openHog() {
    channel = server.connect();
    hog = RawEndpoint.open(server.connect(), "hog", PAGES);
  }

  @AfterEach
  void end() {
    channel.shutdownNow();
    hog.session().cancel();
    server.awaitNoSessions();
  }

  /** An endpoint whose first command waits for memory, and every later one behind it. */
  private RawEndpoint openStuck(String name) {
    RawEndpoint endpoint = RawEndpoint.open(channel, name, PAGES);
    double waiting = server.metric("pagetide_waiting");
    long _ = endpoint.allocateLater(STUCK_PAGES * 4096L, false);
    Awaitility.await().until(() -> server.metric("pagetide_waiting") > waiting);
    return endpoint;
  }

  private long takeAllMemory() {
    return hog.allocate(PAGES * 4096L);
  }

  private static ExchangeRequest transact(long id, ByteString data, String target) {
    Transact.Builder transact = RawEndpoint.to(target, RawEndpoint.bytes(data));
    return ExchangeRequest.newBuilder()
        .setId(id)
        .setTransact(transact.setFlags(RawEndpoint.ONE_WAY))
        .build();
  }

  /** A full message, none of whose commands can succeed. */
  private static ExchangeRequest full(long firstId, int payloadBytes, String target) {
    ByteString data = ByteString.copyFrom(new byte[payloadBytes]);
    ExchangeRequest.Builder all = transact(firstId, data, target).toBuilder();
    for (int i = 1; i < COMMANDS; i++) {
      all.addAlso(transact(firstId + i, data, target));
    }
    return all.build();
  }

  /** Sends a full message whose first command is answered at once, and awaits that answer. */
  private static void sendAndAwaitTaken(RawEndpoint endpoint, long firstId) {
    endpoint.send(
        ExchangeRequest.newBuilder()
            .setId(firstId)
            .setCancel(Cancel.newBuilder().setCommand(5))
            .addAllAlso(full(firstId, PAYLOAD_BYTES, "nobody").getAlsoList())
            .build());
    endpoint.accepted(firstId);
  }

  /** How many of a full message's commands were refused because of too many bytes in flight. */
  private static int refused(RawEndpoint endpoint, long firstId, int lastCommand) {
    int refused = 0;
    for (int i = 0; i < lastCommand; i++) {
      ExchangeResponse answer = endpoint.await(firstId + i);
      Failed failed = answer.getFailed();
      if (failed.getReason() == ErrorReason.ERROR_REASON_TOO_MANY_REQUESTS) {
        assertThat(failed.getMessage()).contains("--max-request-bytes-in-flight=1048576");
        assertThat(failed.getRetryDelayMs()).isPositive();
        refused++;
      } else {
        assertThat(failed.getReason()).isEqualTo(ErrorReason.ERROR_REASON_TARGET_DIED);
      }
    }
    return refused;
  }

  private void assertAllIsGivenBack() {
    // What has just ended may still be on its way out.
    RawEndpoint next =
        Awaitility.await()
            .ignoreExceptionsInstanceOf(StatusRuntimeException.class)
            .until(() -> RawEndpoint.open(channel, "next", 1), RawEndpoint::isReady);
    AtomicLong first = new AtomicLong();
    Awaitility.await()
        .until(() -> {
          next.send(full(first.addAndGet(1_000_000), PAYLOAD_BYTES, "nobody"));
          return refused(next, first.get(), COMMANDS) == 0;
        });
  }

  @Test
  void commandsWait_theirPayloadsCountAndThoseBeyondTheLimitAreRefused() {
    long all = takeAllMemory();
    RawEndpoint alice = openStuck("alice");
    RawEndpoint bob = openStuck("bob");
    long first = 1000;

    sendAndAwaitTaken(alice, first);
    sendAndAwaitTaken(bob, first);

    // The last ones are refused while the first ones wait.
    assertThat(refused(bob, first + COMMANDS - 1, 1)).isEqualTo(1);
    assertThat(bob.isAnswered(first + 1)).isFalse();
    assertThat(alice.isAnswered(first + 1)).isFalse();
    long freeing = hog.freeLater(all);
    hog.accepted(freeing);
    assertThat(refused(alice, first + 1, COMMANDS - 1)).isZero();
    bob.session().cancel(); // its commands are dropped, or done: either way they no longer count
    alice.session().cancel();
    assertAllIsGivenBack();
  }

  @Test
  void commandsWait_streamEnds_theyCountNoMore() {
    long all = takeAllMemory();
    for (int i = 0; i < 4; i++) {
      RawEndpoint alice = openStuck("alice" + i);
      sendAndAwaitTaken(alice, 1000);
      assertThat(alice.isAnswered(1000 + COMMANDS - 1)).as("it waits").isFalse();
      alice.cancel();
      alice.session().cancel();
      Awaitility.await().until(() -> server.metric("pagetide_waiting") == 0);
    }
    hog.free(all);
    assertAllIsGivenBack();
  }

  @Test
  void transact_longName_isCutInTheAnswer() {
    RawEndpoint alice = RawEndpoint.open(channel, "alice", 1);
    String name = "n".repeat(100_000);

    alice.send(transact(7, ByteString.EMPTY, name));

    Failed failed =
        alice.failed(7, Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_TARGET_DIED, "nnn...'");
    assertThat(failed.getMessage()).hasSizeLessThan(300);
  }

  @Test
  void answersUnread_count_andTheStreamThatHoldsTooManyEnds() {
    ManagedChannel narrow = server.connectWithFixedWindow();
    List<RawEndpoint> deaf = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      RawEndpoint endpoint =
          RawEndpoint.start(narrow, RawEndpoint.session(channel, "deaf" + i, 1), false);
      endpoint.read(1);
      var _ = endpoint.attach(false);
      deaf.add(endpoint);
    }
    for (RawEndpoint endpoint : deaf) {
      for (int i = 0; i < 8; i++) {
        endpoint.send(full(1000, 0, "x".repeat(ContractLimits.MAX_NAME_BYTES)));
      }
    }

    // Some may stay, because a connection may hold something; not all.
    Awaitility.await().until(() -> server.metric("pagetide_parties") < 1 + deaf.size());
    deaf.forEach(endpoint -> endpoint.read(10_000));
    Awaitility.await().until(() -> deaf.stream().anyMatch(RawEndpoint::hasEnded));
    narrow.shutdownNow();
    deaf.forEach(endpoint -> endpoint.session().cancel());
    assertAllIsGivenBack();
  }

  @Test
  void messagesThatNeverArriveAsAWhole_count_andTheStreamsBeyondTheLimitEnd() throws IOException {
    int streams = 12;
    byte[] part = new byte[8 * 1024];
    try (RawHttp2 bad = RawHttp2.connect(server.target())) {
      for (int i = 0; i < streams; i++) {
        byte[] attach =
            ExchangeRequest.newBuilder()
                .setId(1)
                .setAttach(
                    Attach.newBuilder()
                        .setSession(RawEndpoint.session(channel, "bad" + i, 1).token()))
                .build()
                .toByteArray();
        int stream = bad.startCall("/pagetide.v1.TransactionService/Exchange", attach.length);
        bad.sendData(stream, attach);
        bad.sendData(stream, ByteBuffer.allocate(5).put((byte) 0).putInt(250_000).array());
        for (int sent = 0; sent < 200_000; sent += part.length) {
          bad.sendData(stream, part);
        }
      }

      // Half of the limit is one connection's, and parts may exceed it by as much: room for five.
      Awaitility.await().until(() -> bad.endedCalls() >= streams - 6);
      assertThat(bad.endedCalls()).isLessThan(streams);
    }
    channel.shutdownNow();
    channel = server.connect();
    assertAllIsGivenBack();
  }
}
