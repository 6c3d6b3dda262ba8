package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.ErrorReason;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.Reply;
import dev.pagetide.client.SendResult;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.SessionEnd;
import dev.pagetide.client.StagedBuffer;
import dev.pagetide.client.StatusCode;
import dev.pagetide.client.Target;
import dev.pagetide.client.hostile.EndpointMember.Command;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Parties killed with SIGKILL, on either side and at each point of a transaction, and their server:
 * whoever lives is told, and nothing of the dead is left.
 */
final class KilledEndpointTest {
  private static final String HERE = "here";
  private static final String THERE = "there";
  private static final Target CHILD = Target.named(THERE);
  private static final int RANGE_BYTES = 1 << 20;

  /** Memory for the bookkeeping of both sessions, and some pages less than one of the ranges. */
  private static final String BUDGET = "960KiB";

  /** What one of them fits, and two do not. */
  private static final int MOST_OF_THE_MEMORY = 512 << 10;

  /** More than any of this takes; whoever is told at once does not come near it. */
  private static final int PATIENCE_SECONDS = 30;

  private final LinkedBlockingQueue<ReceivedTransaction> arrived = new LinkedBlockingQueue<>();
  private final List<Throwable> errors = new CopyOnWriteArrayList<>();

  @SuppressWarnings("NullAway.Init") // started before all tests: each leaves it as it was
  private static ServerProcess server;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private Receiver receiver;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // started before each test
  private Child child;

  /** The resident memory of the session here, with nothing in its range. */
  private double ownBytes;

  /** A buffer's bytes: known to both processes. */
  static byte[] content(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) (i * 31 + (i >>> 12));
    }
    return bytes;
  }

  @BeforeAll
  static void startServer() throws IOException {
    server =
        ServerProcess.start(
            "--http",
            "127.0.0.1:0",
            "--pressure=off", // this machine's other memory is no part of the test
            "--max-resident-bytes=" + BUDGET,
            "--max-resident-bytes-per-uid=" + BUDGET,
            "--allocation-wait=60s"); // whoever waits for memory does so until it is told
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  @BeforeEach
  void start() throws IOException {
    assertThat(server.metric("pagetide_resident_bytes")).isZero();
    client = PagetideClient.connect(server.directory());
    receiver =
        client.openReceiver(
            ReceiverOptions.named(HERE)
                .withSizeBytes(RANGE_BYTES)
                .withErrors((_, failure) -> errors.add(failure)),
            transaction -> {
              transaction.keep();
              arrived.add(transaction);
            });
    ownBytes = server.metric("pagetide_resident_bytes");
    child =
        Child.start(
            EndpointMember.class,
            server.directory().toString(),
            THERE,
            Integer.toString(RANGE_BYTES));
    assertThat(child.readLine()).isEqualTo("open");
  }

  @AfterEach
  void stop() {
    client.close();
    child.close();
    await().untilAsserted(() -> assertThat(server.metric("pagetide_sessions")).isZero());
    await().untilAsserted(() -> assertThat(server.metric("pagetide_resident_bytes")).isZero());
    assertThat(errors).isEmpty();
  }

  private void tell(Command command, Object... words) throws IOException {
    StringBuilder line = new StringBuilder(command.name());
    for (Object word : words) {
      line.append(' ').append(word);
    }
    assertThat(child.ask(line.toString())).isEqualTo(line.toString());
  }

  private ReceivedTransaction awaitArrival() throws InterruptedException {
    ReceivedTransaction transaction = arrived.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertThat(transaction).isNotNull();
    return transaction;
  }

  private void awaitDelivered(int buffers) {
    await()
        .untilAsserted(() ->
            assertThat(server.metric("pagetide_buffers{state=\"delivered\"}")).isEqualTo(buffers));
  }

  private void awaitWaiting(int waiting) {
    await().untilAsserted(() -> assertThat(server.metric("pagetide_waiting")).isEqualTo(waiting));
  }

  /** Of the dead, and of what this process had of them, nothing is left. */
  private void nothingIsLeft() {
    await()
        .untilAsserted(() -> {
          client.shrinker().scan(Integer.MAX_VALUE, 0, false);
          assertThat(server.metric("pagetide_sessions")).isEqualTo(1);
          assertThat(server.metric("pagetide_parties")).isEqualTo(1);
          assertThat(server.metric("pagetide_buffers{state=\"building\"}")).isZero();
          assertThat(server.metric("pagetide_buffers{state=\"delivered\"}")).isZero();
          assertThat(server.metric("pagetide_buffers{state=\"clearing\"}")).isZero();
          assertThat(server.metric("pagetide_buffers_one_way_bytes")).isZero();
          assertThat(server.metric("pagetide_buffers_free_bytes")).isEqualTo(RANGE_BYTES);
          assertThat(server.metric("pagetide_buffers_largest_gap_bytes")).isEqualTo(RANGE_BYTES);
          assertThat(server.metric("pagetide_waiting")).isZero();
          assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(ownBytes);
        });
    assertThat(client.shrinker().listRanges()).hasSize(1).allMatch(range -> range.usedPages() == 0);
  }

  private static PagetideException failureOf(Future<?> future) {
    ExecutionException thrown =
        catchThrowableOfType(
            ExecutionException.class, () -> future.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertThat(thrown).isNotNull();
    if (thrown.getCause() instanceof PagetideException failure) {
      return failure;
    }
    throw new AssertionError("not a typed failure", thrown);
  }

  @Test
  void receiver_killedWithAnUnansweredTransaction_askerIsToldThatItDied() throws Exception {
    CompletableFuture<Reply> asked =
        receiver.sender().askAsync(CHILD, 1, Payload.of(content(10_000)));
    awaitDelivered(1);
    assertThat(asked).isNotDone();

    child.kill();

    PagetideException failure = failureOf(asked);
    assertThat(failure.code()).isEqualTo(StatusCode.FAILED_PRECONDITION);
    assertThat(failure.reason()).contains(ErrorReason.TARGET_DIED);
    nothingIsLeft();
  }

  @Test
  void receiver_killedWithOneWaysItHasNotFreed_leavesNothing() throws Exception {
    for (int i = 0; i < 10; i++) {
      receiver.sender().send(CHILD, i, Payload.of(content(10_000)));
    }
    assertThat(server.metric("pagetide_buffers_one_way_bytes")).isEqualTo(100_000);

    child.kill();

    nothingIsLeft();
    PagetideException failure =
        failureOf(receiver.sender().sendAsync(CHILD, 1, Payload.of(content(1))));
    assertThat(failure.reason()).contains(ErrorReason.TARGET_DIED);
  }

  @Test
  void receiver_killedWhileABufferWaitsForMemory_senderIsToldAtOnce() throws Exception {
    try (StagedBuffer staged = receiver.sender().stage(MOST_OF_THE_MEMORY)) {
      CompletableFuture<Reply> asked = receiver.sender().askAsync(CHILD, 1, Payload.of(staged));
      awaitWaiting(1);
      CompletableFuture<SendResult> behind = receiver.sender().sendAsync(CHILD, 2, Payload.NONE);

      child.kill();

      assertThat(failureOf(asked).reason()).contains(ErrorReason.TARGET_DIED);
      assertThat(failureOf(behind).reason()).contains(ErrorReason.TARGET_DIED);
    }
    nothingIsLeft();
  }

  @Test
  void asker_killedWhileItsTransactionIsDelivered_receiverIsToldAndKeepsTheBytes()
      throws Exception {
    tell(Command.ASK, HERE, 10_000);
    ReceivedTransaction transaction = awaitArrival();
    assertThat(transaction.isOver()).isFalse();

    child.kill();

    transaction.over().toCompletableFuture().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertThat(transaction.isOver()).isTrue();
    await().untilAsserted(() -> assertThat(server.metric("pagetide_sessions")).isEqualTo(1));
    assertThat(server.metric("pagetide_buffers{state=\"delivered\"}")).isEqualTo(1);
    assertThat(transaction.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content(10_000));
    PagetideException failure = failureOf(transaction.replyAsync(Payload.NONE));
    assertThat(failure.reason()).contains(ErrorReason.TRANSACTION_OVER);
    transaction.close();
    nothingIsLeft();
  }

  @Test
  void sender_killedAfterItsOneWayCame_bytesStayUntilTheyAreFreed() throws Exception {
    tell(Command.SEND, HERE, 10_000);
    ReceivedTransaction transaction = awaitArrival();

    child.kill();

    await().untilAsserted(() -> assertThat(server.metric("pagetide_sessions")).isEqualTo(1));
    assertThat(server.metric("pagetide_buffers_one_way_bytes")).isEqualTo(10_000);
    assertThat(transaction.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content(10_000));
    transaction.close();
    nothingIsLeft();
  }

  @Test
  void sender_killedWithStagedBuffers_leavesNothing() throws Exception {
    for (int size : new int[] {0, 1, 10_000, 100_000}) {
      tell(Command.STAGE, size);
    }
    awaitDelivered(4);

    child.kill();

    nothingIsLeft();
  }

  @Test
  void sender_killedWhileItsCommandsWaitForMemory_leavesNothing() throws Exception {
    try (StagedBuffer staged = receiver.sender().stage(MOST_OF_THE_MEMORY)) {
      tell(Command.ASK, HERE, MOST_OF_THE_MEMORY);
      tell(Command.SEND, HERE, 0);
      awaitWaiting(1);

      child.kill();

      awaitWaiting(0);
      await()
          .untilAsserted(
              () -> assertThat(server.metric("pagetide_buffers{state=\"building\"}")).isZero());
      assertThat(staged.segment().byteSize()).isEqualTo(MOST_OF_THE_MEMORY);
    }
    assertThat(arrived).isEmpty();
    nothingIsLeft();
  }

  @Test
  void server_killed_bothSidesAreToldAndNobodyWaits() throws Exception {
    tell(Command.ASK, HERE, 100);
    ReceivedTransaction transaction = awaitArrival();
    CompletableFuture<Reply> asked = receiver.sender().askAsync(CHILD, 1, Payload.of(content(100)));
    awaitDelivered(2);

    server.kill();

    assertThat(failureOf(asked).code()).isEqualTo(StatusCode.UNAVAILABLE);
    assertThat(child.ask(Command.OUTCOMES.name())).isEqualTo("UNAVAILABLE");
    SessionEnd end = receiver.ended().toCompletableFuture().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertThat(end.cause()).isEqualTo(SessionEnd.Cause.SERVER_LOST);
    transaction.over().toCompletableFuture().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertThat(failureOf(receiver.sender().sendAsync(CHILD, 1, Payload.NONE)).code())
        .isEqualTo(StatusCode.UNAVAILABLE);
    transaction.close();
    server.startAgain();
  }
}
